// Trainings that keep something beside weights, each its own: name, configuration, what is given beside it.

import { type Given, memoryStore, newHead, pairs, rows } from "./trainer.ts";

async function* stream() {
  yield* pairs;
}

const bias = () => ({ ...newHead(), bias: new Float32Array(40).fill(0.25) });

export const trainings: readonly (readonly [string, Record<string, unknown>, () => Given])[] = [
  ["pairs", {}, () => ({})],
  ["pairs in order", {}, () => ({ shuffle: false })],
  ["parts, a mean of logs", { gradient_accumulation_steps: 2, logging_steps: 5 }, () => ({})],
  [
    "a bias, decay and a schedule",
    { weight_decay: 0.1, lr_scheduler_type: "cosine", warmup_steps: 3 },
    () => ({ head: bias() }),
  ],
  ["no room for hidden states", {}, () => ({ cache: { maxBytes: 0 } })],
  ["room for some hidden states", {}, () => ({ cache: { maxBytes: 2000 } })],
  ["room for half a batch's hidden states", {}, () => ({ cache: { maxBytes: 1300 } })],
  ["hidden states in a store", {}, () => ({ cache: { maxBytes: 0, store: memoryStore() } })],
  ["a reference in step with the policy", { sync_ref_model: true, ref_model_sync_steps: 3 }, () => ({})],
  ["a reference computed once", { precompute_ref_log_probs: true }, () => ({ cache: { maxBytes: 2000 } })],
  ["an adapter", { loss_type: "ipo" }, () => ({ lora: { rank: 2, alpha: 4 } })],
  ["SGD", { optim: "sgd", dataloader_drop_last: true }, () => ({})],
  ["likelihood of prompts", { loss_type: "orpo" }, () => ({})],
  ["no reference", { loss_type: "simpo", cpo_alpha: 1 }, () => ({})],
  ["mismatched rows", { loss_type: "kto" }, () => ({ examples: rows })],
  [
    "mismatched rows, a reference computed once",
    { loss_type: "kto", precompute_ref_log_probs: true },
    () => ({ examples: rows, cache: { maxBytes: 2000 } }),
  ],
  ["the running mean of rewards", { loss_type: "bco", beta: 1 }, () => ({ examples: rows })],
  ["an evaluation", { eval_steps: 4 }, () => ({ evalExamples: pairs.slice(0, 6) })],
  ["a stream", {}, () => ({ examples: stream })],
];
