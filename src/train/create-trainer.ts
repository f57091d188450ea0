// createTrainer, which brings all of losses and backends: loaded by those who call it.

import type { Trainer, TrainerOptions } from "./trainer/types.ts";

/**
 * A training of a head, or of an adapter of it, on the hidden states of a frozen model, as a TRL configuration says: docs/train.md.
 * Each step of the iteration is a step of the optimiser; to pause is to stop iterating.
 *
 * Throws    KindError, ParamError, ShapeError for options, configuration and examples, naming what and where; BackendError
 * @example  import { createTrainer } from "dpo-kernels/train";
 *           const trainer = await createTrainer({
 *             config: { loss_type: "ipo", learning_rate: 1e-2, max_steps: 2 },
 *             examples: [{ prompt: [1, 5], chosen: [2, 3], rejected: [4] }],
 *             backbone: ({ inputIds }) => new Float32Array(inputIds.length * 8).fill(0.5), // your model, up to its head
 *             head: { weight: new Float32Array(6 * 8), vocab: 6, hiddenSize: 8 },
 *           });
 *           for await (const { step, metrics } of trainer) console.log(step, metrics.loss);
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { openTrainer } = await import("./trainer/trainer.ts");
  return openTrainer(options);
}
