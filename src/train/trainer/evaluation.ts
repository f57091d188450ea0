// Evaluation: the loss of examples that are not trained on, in order; nothing is learnt from it.

import { type Recipe, stepsOf } from "./config.ts";
import type { Example } from "./examples.ts";
import type { LossSource } from "./loss.ts";
import { addTo, meansOf, noSums } from "./metrics.ts";
import type { FirstEpoch, StateSource, States } from "./states.ts";

export interface EvaluationInputs {
  readonly batches: readonly (readonly Example[])[];
  readonly states: StateSource;
  readonly loss: LossSource;
  /** Computes the reference's log-probs where they are kept. */
  readonly learn: (batch: readonly Example[], states: readonly States[]) => Promise<void>;
  /** Throws where the evaluation is to end. */
  readonly check: () => void;
  readonly onBatch: (done: number, total: number) => void;
}

/** The batches of examples in their order, which every evaluation has. */
export function batchesInOrder(
  examples: readonly Example[],
  size: number,
): FirstEpoch & Pick<EvaluationInputs, "batches"> {
  const places = new Map(examples.map((example, place) => [example, place]));
  const batches = Array.from({ length: Math.ceil(examples.length / size) }, (_, k) =>
    examples.slice(k * size, (k + 1) * size),
  );
  const batchOf = (example: Example) => batches[Math.floor((places.get(example) as number) / size)] as Example[];
  return { batches, inOrder: examples, batchOf };
}

/** TRL's means: of the loss over examples, of metrics over batches; beside them the `tokens` that were trained on so far. */
export async function evaluate(
  { batches, states, loss, learn, check, onBatch }: EvaluationInputs,
  tokens: number,
): Promise<Record<string, number>> {
  const sums = noSums();
  let [total, count] = [0, 0];
  for (const [k, batch] of batches.entries()) {
    check();
    const own = await states.of(batch, true);
    await learn(batch, own);
    // No token has a gradient then, and nothing goes back.
    const outcome = await loss.of(batch, own, { gradScale: 0, accumulate: false, evaluation: true });
    total += outcome.loss * batch.length;
    count += batch.length;
    addTo(sums, outcome.metrics);
    onBatch(k + 1, batches.length);
  }
  const named = Object.entries(meansOf(sums)).map(([name, value]) => [`eval_${name}`, value]);
  return { eval_loss: total / count, eval_num_tokens: tokens, ...Object.fromEntries(named) };
}

/** Where a step leaves the training. */
export interface Reached {
  readonly step: number;
  readonly epoch: number;
  readonly endsEpoch: boolean;
}

/** What a step came to, beside its evaluation. */
export interface Taken extends Reached {
  readonly metrics: Readonly<Record<string, number>>;
  readonly log?: Readonly<Record<string, number>> | undefined;
}

/** Whether a step is followed by an evaluation: every so many and the last, at the end of each epoch, or as nothing else is said. */
export function evaluationSteps(
  evalSteps: number | undefined,
  { when, every, delay }: Recipe["evaluation"],
  steps: number,
  logEvery: number,
): (reached: Reached) => boolean {
  const given = evalSteps ?? (when === "no" || when === "epoch" ? undefined : every);
  if (given !== undefined || when === "steps") {
    const interval = stepsOf(given ?? logEvery, steps);
    return ({ step }) => step >= delay && (step % interval === 0 || step === steps);
  }
  if (when === "no") return () => false;
  return ({ step, epoch, endsEpoch }) => epoch >= delay && (endsEpoch || step === steps);
}
