// What is trained, and on what, wherever it came from.

import type { Backbone, TrainExample, TrainHead } from "../../train.ts";

export interface Task {
  readonly examples: readonly TrainExample[];
  readonly evalExamples: readonly TrainExample[] | undefined;
  readonly backbone: Backbone;
  readonly head: TrainHead;
  /** Where the examples bring the reference's log-probs. */
  readonly reference: "precomputed" | undefined;
  /** Where an example stands: file and line. */
  place(i: number, isEvaluation: boolean): string;
  /** The longest row, where rows cannot be cut: their states are as they are. */
  readonly cutsAt: number | undefined;
  /** Whether the backbone only looks up: its answers need no keeping. */
  readonly isInMemory: boolean;
  readonly notes: readonly string[];
}
