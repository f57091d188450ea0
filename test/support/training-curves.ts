// Training runs of TRL's losses with PyTorch's AdamW, step by step, through createTrainer: test/golden/README.md,
// `training.json`. The data is not part of the package: where ../shared/data is missing, all is skipped visibly.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type HeadTask, readTask } from "../../examples/train-head/task.ts";
import type { TokenPair, Tokens } from "../../src/index.ts";
import { type BackboneBatch, type BackboneCall, createTrainer, type Trainer } from "../../src/train.ts";
import type { AnyBackend } from "./candidate.ts";
import { missesNear } from "./compare.ts";

type Numbers = Record<string, number>;
type Series = Record<string, number[]>;

interface Run {
  id: string;
  dataset: string;
  steps: number;
  loss_types: string[];
  loss_weights: number[];
  hyper: Numbers;
  parametrisation: "full" | "lora";
  optimizer: {
    learning_rate: number;
    weight_decay: number;
    schedule: string;
    warmup_steps: number;
    max_grad_norm: number | null;
  };
  learning_rates: number[];
  f64: Series;
  near_ties: number[];
  final: { change_norm: Numbers; change_samples: Series; eval: Numbers & { near_ties: number } };
}

interface Golden {
  meta: { batch_pairs: number; lora: { rank: number; alpha: number } };
  lora_A: number[][];
  sample_indices: Series;
  runs: Run[];
}

const golden: Golden = JSON.parse(readFileSync("test/golden/training.json", "utf8"));
const file = new URL("../../../shared/data/hh-stories260k.safetensors", import.meta.url);
const missing = existsSync(file) ? "" : " (skipped: ../shared/data is not here)";

const wayOf = ({ parametrisation, optimizer }: Run): string =>
  `${parametrisation}, ${optimizer.max_grad_norm === null ? "as it is" : "clipped"}`;

/** The run as TRL would be told to do it. */
const configOf = ({ steps, loss_types, loss_weights, hyper, optimizer }: Run) => ({
  loss_type: loss_types,
  loss_weights,
  ...hyper,
  max_steps: steps,
  per_device_train_batch_size: golden.meta.batch_pairs,
  per_device_eval_batch_size: 1000,
  learning_rate: optimizer.learning_rate,
  lr_scheduler_type: optimizer.schedule,
  warmup_steps: optimizer.warmup_steps,
  weight_decay: optimizer.weight_decay,
  max_grad_norm: optimizer.max_grad_norm ?? 0,
});

/** A pair of the task as token lists. */
function exampleOf({ tokens, pairs }: HeadTask, pair: number): TokenPair {
  const { length, inputIds, completionMask } = tokens as Tokens;
  const [chosen, rejected] = [pair, pairs + pair].map((row) => {
    const ids = [...(inputIds as Int32Array).subarray(row * length, (row + 1) * length)];
    const mask = [...(completionMask as Uint8Array).subarray(row * length, (row + 1) * length)];
    return { prompt: ids.slice(0, mask.indexOf(1)), completion: ids.slice(mask.indexOf(1), mask.lastIndexOf(1) + 1) };
  });
  return { prompt: chosen?.prompt ?? [], chosen: chosen?.completion ?? [], rejected: rejected?.completion ?? [] };
}

/** The run's trainer. Its batches run on over the end of the pairs, so the pairs of all steps are one epoch. */
function trainerOf(backend: AnyBackend, task: HeadTask, run: Run) {
  const { rank, alpha } = golden.meta.lora;
  const { vocab, hiddenSize, trainPairs, pairs } = task;
  const width = (task.tokens as Tokens).length * hiddenSize;
  const { f16 } = task.hidden as { f16: Uint16Array };
  const trained = Array.from({ length: run.steps * golden.meta.batch_pairs }, (_, i) => i % trainPairs);
  const evaluated = Array.from({ length: pairs - trainPairs }, (_, i) => trainPairs + i);
  const backbone = ({ length }: BackboneBatch, { examples, evaluation }: BackboneCall) => {
    const chosen = examples.map((i) => (evaluation ? evaluated : trained)[i] as number);
    const hidden = new Uint16Array(2 * chosen.length * length * hiddenSize);
    [...chosen, ...chosen.map((pair) => pairs + pair)].forEach((row, r) => {
      hidden.set(f16.subarray(row * width, row * width + length * hiddenSize), r * length * hiddenSize);
    });
    return { f16: hidden };
  };
  const lora = { rank, alpha, a: Float32Array.from(golden.lora_A.flat()), b: new Float32Array(vocab * rank) };
  return createTrainer({
    config: configOf(run),
    examples: trained.map((pair) => exampleOf(task, pair)),
    evalExamples: evaluated.map((pair) => exampleOf(task, pair)),
    backbone,
    head: { weight: task.weight.slice(), vocab, hiddenSize },
    lora: run.parametrisation === "lora" ? lora : undefined,
    backend,
    shuffle: false,
    onWarning: () => undefined,
  });
}

/** The arrays that are trained, by the names of the golden file. */
const trainedIn = ({ head }: Trainer): Record<string, Float32Array> =>
  head.lora ? { A: head.lora.a, B: head.lora.b } : { weight: head.weight as Float32Array };

/** End less start of each trained tensor, and of the product of A and B. */
function changesOf(trainer: Trainer, start: Record<string, Float32Array>, { hiddenSize }: HeadTask) {
  const changes: Record<string, Float64Array> = Object.fromEntries(
    Object.entries(trainedIn(trainer)).map(([name, end]) => {
      return [name, Float64Array.from(end, (x, i) => x - (start[name]?.[i] ?? Number.NaN))] as const;
    }),
  );
  const { lora } = trainer.head;
  if (!lora) return changes;
  const { a, b, rank, scale } = lora;
  const merged = Float64Array.from({ length: (b.length / rank) * hiddenSize }, (_, i) => {
    const [v, d] = [Math.floor(i / hiddenSize), i % hiddenSize];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += (b[v * rank + k] as number) * (a[k * hiddenSize + d] as number);
    return scale * sum;
  });
  return { ...changes, merged };
}

const norm = (x: Float64Array): number => Math.hypot(...x);

/** What is off in rewards and accuracies, which near ties may move. */
function missesOfMetrics(when: string, got: Readonly<Numbers>, want: (key: string) => number, ties: number): string[] {
  const keys = ["rewards/chosen", "rewards/rejected", "rewards/margins"];
  const found = keys.flatMap((key) => missesNear(`${when} ${key}`, [got[key] as number], [want(key)], 0, 1e-3));
  const key = "rewards/accuracies";
  return [...found, ...missesNear(`${when} ${key}`, [got[key] as number], [want(key)], 0, ties + 1e-9)];
}

const plainNames = (metrics: Numbers): Numbers =>
  Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name.replace(/^eval_/, ""), value]));

/** What is off in the steps of a run, its final weights and its evaluation; or in its first steps alone. */
async function missesOfRun(backend: AnyBackend, task: HeadTask, run: Run, most: number): Promise<string[]> {
  const trainer = await trainerOf(backend, task, run);
  const start = Object.fromEntries(Object.entries(trainedIn(trainer)).map(([name, x]) => [name, x.slice()]));
  // discopop's loss turns at 0, where float32 and float64 part ways.
  const relative = run.loss_types.includes("discopop") && run.parametrisation === "full" ? 1e-3 : 1e-4;
  const found: string[] = [];
  let steps = 0;
  for await (const { metrics } of trainer) {
    const step = steps++;
    if (step >= most) return found;
    const at = (key: string): number => run.f64[key]?.[step] ?? Number.NaN;
    const rate = run.learning_rates[step] ?? Number.NaN;
    found.push(
      ...missesNear(`step ${step} loss`, [metrics["loss"] as number], [at("loss")], relative),
      ...missesNear(`step ${step} grad_norm`, [metrics["grad_norm"] as number], [at("grad_norm")], relative),
      ...missesNear(`step ${step} rate`, [metrics["learning_rate"] as number], [rate], 1e-11),
      ...missesOfMetrics(`step ${step}`, metrics, at, (run.near_ties[step] ?? 0) / golden.meta.batch_pairs),
    );
  }
  if (steps !== run.steps) found.push(`${steps} steps instead of ${run.steps}`);

  const changes = changesOf(trainer, start, task);
  for (const [name, wanted] of Object.entries(run.final.change_norm)) {
    const change = changes[name] ?? new Float64Array();
    found.push(...missesNear(`|change of ${name}|`, [norm(change)], [wanted], 1e-3));
    // An entry whose first gradient lies within rounding of 0 may go either way under Adam: most entries decide.
    const samples = run.final.change_samples[name] ?? [];
    const allowed = (1e-3 * wanted) / Math.sqrt(change.length);
    const at = (k: number): number => change[golden.sample_indices[name]?.[k] ?? -1] ?? Number.NaN;
    const far = samples.filter((sample, k) => !(Math.abs(at(k) - sample) <= allowed));
    if (far.length > samples.length / 20) found.push(`${name}: ${far.length} of ${samples.length} samples are off`);
  }

  const last = await trainer.evaluate();
  const { eval: wanted } = run.final;
  const ties = wanted.near_ties / (task.pairs - task.trainPairs);
  found.push(
    ...missesNear("eval loss", [last["eval_loss"] as number], [wanted["loss"] ?? Number.NaN], relative),
    ...missesOfMetrics("eval", plainNames(last), (key) => wanted[key] ?? Number.NaN, ties),
  );
  return found;
}

/** The first of each way to train: all weights or an adapter, clipped or not. */
const firsts = new Set(
  golden.runs
    .filter((run, i) => i === golden.runs.findIndex((other) => wayOf(other) === wayOf(run)))
    .map(({ id }) => id),
);

/**
 * All runs on the backends of one file of tests. With `most`, the first of each way to train is followed to its end, and of the others
 * that many steps: what a loss's gradients are shows in the first.
 */
export function trainingCurves(onEach: (tests: (backend: AnyBackend) => void) => void, most = Infinity): void {
  describe.skipIf(missing !== "")(`training curves${missing}`, () => {
    const task = missing === "" ? readTask(readFileSync(file)) : undefined;
    onEach((backend) => {
      it.each(golden.runs.map((run) => [run.id, run] as const))(
        "%s",
        async (_id, run) => {
          if (!task || run.dataset !== task.name) throw new Error(`no data of ${run.dataset}`);
          expect(await missesOfRun(backend, task, run, firsts.has(run.id) ? Infinity : most)).toEqual([]);
        },
        180_000,
      );
    });
  });
}
