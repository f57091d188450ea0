// TRL 1.16's DPOTrainer, run on real pairs, followed step by step: ../shared/golden/README.md, `trl-1.16-runs.json`. Model and runs are
// not part of the package: where ../shared is missing, all is skipped visibly. No assertion prints tokens: the texts are offensive.

import { existsSync, readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { batchOf, type HeadTask } from "../examples/train-head/task.ts";
import {
  type Backend,
  type CollateOptions,
  collate,
  type FromTrlResult,
  fromTrl,
  type LinearLossResult,
  type LossOptions,
  type PaddedBatch,
  type TrlConfig,
} from "../src/index.ts";
import { readSafetensors } from "../src/safetensors/read.ts";
import { adamw, adamwState, clipGradNorm, lrSchedule } from "../src/train.ts";
import { onEachLocalWasm } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";

interface Run {
  id: string;
  config: TrlConfig;
  kept: number[] | null;
  steps: Record<string, number[]>;
  change_norm: number;
  change_samples: [at: number, change: number][];
}

interface Runs {
  tokens: { prompt_ids: number[]; chosen_ids: number[]; rejected_ids: number[] }[];
  runs: Run[];
}

const shared = new URL("../../shared/", import.meta.url);
const file = new URL("golden/trl-1.16-runs.json", shared);
const folder = new URL("data/stories260k-hf/", shared);
const missing = existsSync(file) && existsSync(folder) ? "" : " (skipped: ../shared is not here)";
const { tokens, runs }: Runs = missing === "" ? JSON.parse(readFileSync(file, "utf8")) : { tokens: [], runs: [] };
const session =
  missing === "" ? ort.InferenceSession.create(readFileSync(new URL("onnx/model.onnx", folder))) : undefined;

/** What the frozen body makes of a batch: hidden states after its last norm. */
async function hiddenOf({ pairs, length, inputIds, attentionMask }: PaddedBatch): Promise<Float32Array> {
  const int64 = (values: ArrayLike<number>) =>
    new ort.Tensor("int64", BigInt64Array.from(Array.from(values), BigInt), [2 * pairs, length]);
  const positions = Int32Array.from(inputIds, (_, i) => i % length);
  const feeds = {
    input_ids: int64(inputIds as Int32Array),
    attention_mask: int64(attentionMask as Uint8Array),
    position_ids: int64(positions),
  };
  const { last_hidden_state: hidden } = await (await (session as Promise<ort.InferenceSession>)).run(feeds);
  return (hidden as ort.Tensor).data as Float32Array;
}

/** The task of a run: the head, untied, begins as the embedding. */
async function taskOf({ kept }: Run, options: CollateOptions): Promise<HeadTask> {
  const examples = kept ? kept.map((i) => tokens[i] as (typeof tokens)[number]) : tokens;
  const batch = collate(examples, { ...options, layout: "padded" });
  const { tensors } = readSafetensors(readFileSync(new URL("model.safetensors", folder)));
  const embedding = tensors["model.embed_tokens.weight"];
  const [vocab = 0, hiddenSize = 0] = embedding?.shape ?? [];
  const weight = Float32Array.from(embedding?.data as Float32Array);
  const { pairs } = batch;
  return {
    name: "stories260k-hf",
    vocab,
    hiddenSize,
    weight,
    pairs,
    trainPairs: pairs,
    tokens: batch,
    hidden: await hiddenOf(batch),
  };
}

/** The batches of each step in order, as a data loader gives them: the last of an epoch is smaller, a step has `parts` of them. */
function batchesOf(pairs: number, batchSize: number, parts: number, steps: number): number[][][] {
  const all = Array.from({ length: pairs }, (_, i) => i);
  const epoch = Array.from({ length: Math.ceil(pairs / batchSize) }, (_, k) =>
    all.slice(k * batchSize, (k + 1) * batchSize),
  );
  const groups = Array.from({ length: Math.ceil(epoch.length / parts) }, (_, k) =>
    epoch.slice(k * parts, (k + 1) * parts),
  );
  return Array.from({ length: steps }, (_, step) => groups[step % groups.length] as number[][]);
}

/** Trains a head in place; the columns of TRL's log after each step. */
function* stepsOf(
  backend: Backend,
  task: HeadTask,
  weight: Float32Array,
  loss: LossOptions,
  train: FromTrlResult["train"],
) {
  const { batchSize = 8, gradientAccumulationSteps: parts = 1, maxGradNorm = 1, maxSteps = 0, weightDecay = 0 } = train;
  const gradWeight = new Float32Array(weight.length);
  const rate = lrSchedule(maxSteps, train);
  const state = adamwState([weight]);
  for (const [step, batches] of batchesOf(task.pairs, batchSize, parts, maxSteps).entries()) {
    const results = batches.map((chosen, part): LinearLossResult => {
      const options = {
        metrics: "full",
        gradScale: 1 / batches.length,
        accumulate: part > 0,
        out: { gradWeight },
      } as const;
      return backend.linearLoss({ ...batchOf(task, chosen), weight }, { ...loss, ...options });
    });
    const grad_norm = clipGradNorm([gradWeight], maxGradNorm);
    adamw([weight], [gradWeight], state, { lr: rate(step), weightDecay });
    const mean = (of: (result: LinearLossResult) => number): number =>
      results.reduce((sum, result) => sum + of(result), 0) / results.length;
    const names = Object.keys(results[0]?.metrics ?? {});
    const metrics = Object.fromEntries(names.map((name) => [name, mean(({ metrics }) => metrics[name] as number)]));
    yield { ...metrics, loss: mean(({ loss }) => loss), grad_norm, learning_rate: rate(step) } as Record<
      string,
      number
    >;
  }
}

/** How far each column of the log may be from TRL's, which ran in float32. */
const bounds: readonly (readonly [keys: readonly string[], relative: number, absolute: number])[] = [
  [["loss"], 2e-4, 0],
  [["grad_norm"], 2e-3, 0],
  [["learning_rate"], 1e-11, 0],
  [["entropy", "mean_token_accuracy", "logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected"], 2e-4, 0],
  [["rewards/chosen", "rewards/rejected", "rewards/margins"], 0, 5e-4],
];

/** Made once for all runs on the same tokens: the body takes longer than a run. */
const tasks = new Map<string, Promise<HeadTask>>();

async function missesOfRun(backend: Backend, run: Run): Promise<string[]> {
  const { loss, train, collate } = fromTrl(run.config);
  const key = JSON.stringify([run.kept, collate]);
  const made = tasks.get(key) ?? taskOf(run, collate);
  tasks.set(key, made);
  const task = await made;
  const weight = task.weight.slice();
  const found: string[] = [];
  let steps = 0;
  for (const got of stepsOf(backend, task, weight, loss, train)) {
    for (const [keys, relative, absolute] of bounds) {
      for (const key of keys) {
        const [own, want] = [got[key] as number, run.steps[key]?.[steps] as number];
        found.push(...missesNear(`step ${steps} ${key}`, [own], [want], relative, absolute));
      }
    }
    steps++;
  }
  if (steps !== run.config["max_steps"]) found.push(`${steps} steps instead of ${run.config["max_steps"]}`);
  const change = weight.map((x, i) => x - (task.weight[i] as number));
  found.push(...missesNear("|change|", [Math.hypot(...change)], [run.change_norm], 2e-3));
  // An entry whose first gradient lies within rounding of 0 may go either way under Adam: most entries decide.
  const allowed = (2e-3 * run.change_norm) / Math.sqrt(change.length);
  const far = run.change_samples.filter(([at, want]) => !(Math.abs((change[at] as number) - want) <= allowed));
  if (far.length > run.change_samples.length / 20) found.push(`${far.length} samples of the change are off`);
  return found;
}

describe.skipIf(missing !== "")(`runs of TRL 1.16${missing}`, () => {
  onEachLocalWasm((backend) => {
    it.each(runs.map((run) => [run.id, run] as const))("%s", async (_id, run) => {
      expect(await missesOfRun(backend, run)).toEqual([]);
    });
  });
});
