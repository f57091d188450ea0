// The calls of this package that are measured: its public ones, of this build or of another.

import type { createJs, createWasm } from "../../index.ts";
import type { createPool } from "../../pool.ts";
import type { adamw, adamwState, clipGradNorm, sgd, sgdState } from "../../train.ts";
import type { AsyncBackend, Backend, Calls } from "../../types.ts";

/** Entries of one build. What it lacks is not measured. */
export interface Library {
  readonly createWasm: typeof createWasm;
  readonly createJs: typeof createJs;
  readonly createPool?: typeof createPool;
  /** Rejects where there is no GPU, or software that plays one. */
  readonly createWebGpu?: () => Promise<Disposable>;
  readonly train?: TrainLibrary;
  /** The address of the main entry, for a process that has not loaded it. */
  readonly index?: string;
}

export interface TrainLibrary {
  readonly adamw: typeof adamw;
  readonly adamwState: typeof adamwState;
  readonly sgd: typeof sgd;
  readonly sgdState: typeof sgdState;
  readonly clipGradNorm: typeof clipGradNorm;
}

/** Calls that give their results at once, or promise them. */
export type AnyBackend = Calls<boolean> & Partial<Pick<Backend | AsyncBackend, "allocate">>;
export type Disposable = AnyBackend & { dispose(): void | Promise<void> };
export type Allocating = Pick<Backend, "allocate" | "free">;
