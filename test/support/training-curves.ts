// Training runs of TRL's losses with PyTorch's AdamW, step by step, through examples/train-head: test/golden/README.md,
// `training.json`. The data is not part of the package: where ../shared/data is missing, all is skipped visibly.

import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { evaluate, fullHead, type Head, loraHead, trainHead } from "../../examples/train-head/step.ts";
import { type HeadTask, readTask } from "../../examples/train-head/task.ts";
import { type Backend, fromTrl } from "../../src/index.ts";
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

/** The run as TRL would be told to do it. */
const configOf = ({ steps, loss_types, loss_weights, hyper, optimizer }: Run) =>
  fromTrl({
    loss_type: loss_types,
    loss_weights,
    ...hyper,
    max_steps: steps,
    per_device_train_batch_size: golden.meta.batch_pairs,
    learning_rate: optimizer.learning_rate,
    lr_scheduler_type: optimizer.schedule,
    warmup_steps: optimizer.warmup_steps,
    weight_decay: optimizer.weight_decay,
    max_grad_norm: optimizer.max_grad_norm ?? 0,
  });

function headOf(task: HeadTask, { parametrisation }: Run): Head {
  const { rank, alpha } = golden.meta.lora;
  return parametrisation === "full"
    ? fullHead(task)
    : loraHead(task, Float32Array.from(golden.lora_A.flat()), rank, alpha);
}

/** End less start of each trained tensor, and of the product of A and B. */
function changesOf(
  head: Head,
  start: Record<string, Float32Array>,
  { hiddenSize }: HeadTask,
): Record<string, Float64Array> {
  const changes = Object.entries(head.parameters).map(([name, end]) => {
    return [name, Float64Array.from(end, (x, i) => x - (start[name]?.[i] ?? Number.NaN))] as const;
  });
  const { lora } = head.inputs;
  if (!lora) return Object.fromEntries(changes);
  const { a, b, rank, scale } = lora;
  const merged = Float64Array.from({ length: (b.length / rank) * hiddenSize }, (_, i) => {
    const [v, d] = [Math.floor(i / hiddenSize), i % hiddenSize];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += (b[v * rank + k] as number) * (a[k * hiddenSize + d] as number);
    return scale * sum;
  });
  return { ...Object.fromEntries(changes), merged };
}

const norm = (x: Float64Array): number => Math.hypot(...x);

/** What is off in rewards and accuracies, which near ties may move. */
function missesOfMetrics(when: string, got: Numbers, want: (key: string) => number, ties: number): string[] {
  const keys = ["rewards/chosen", "rewards/rejected", "rewards/margins"];
  const found = keys.flatMap((key) => missesNear(`${when} ${key}`, [got[key] as number], [want(key)], 0, 1e-3));
  const key = "rewards/accuracies";
  return [...found, ...missesNear(`${when} ${key}`, [got[key] as number], [want(key)], 0, ties + 1e-9)];
}

/** What is off in the steps of a run, its final weights and its evaluation. */
async function missesOfRun(backend: Backend, task: HeadTask, run: Run): Promise<string[]> {
  const { loss, train } = configOf(run);
  const head = headOf(task, run);
  const start = Object.fromEntries(Object.entries(head.parameters).map(([name, x]) => [name, x.slice()]));
  // discopop's loss turns at 0, where float32 and float64 part ways.
  const relative = run.loss_types.includes("discopop") && run.parametrisation === "full" ? 1e-3 : 1e-4;
  const found: string[] = [];
  let steps = 0;
  for await (const { step, gradNorm, learningRate, ...report } of trainHead(backend, task, { head, loss, train })) {
    const at = (key: string): number => run.f64[key]?.[step] ?? Number.NaN;
    found.push(
      ...missesNear(`step ${step} loss`, [report.loss], [at("loss")], relative),
      ...missesNear(`step ${step} grad_norm`, [gradNorm], [at("grad_norm")], relative),
      ...missesNear(`step ${step} rate`, [learningRate], [run.learning_rates[step] ?? Number.NaN], 1e-11),
      ...missesOfMetrics(`step ${step}`, report.metrics, at, (run.near_ties[step] ?? 0) / golden.meta.batch_pairs),
    );
    steps++;
  }
  if (steps !== run.steps) found.push(`${steps} steps instead of ${run.steps}`);

  const changes = changesOf(head, start, task);
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

  const last = await evaluate(backend, task, head, loss);
  const { eval: wanted } = run.final;
  const ties = wanted.near_ties / (task.pairs - task.trainPairs);
  found.push(
    ...missesNear("eval loss", [last.loss], [wanted["loss"] ?? Number.NaN], relative),
    ...missesOfMetrics("eval", last.metrics, (key) => wanted[key] ?? Number.NaN, ties),
  );
  return found;
}

/** All runs on the backends of one file of tests. */
export function trainingCurves(onEach: (tests: (backend: Backend) => void) => void): void {
  describe.skipIf(missing !== "")(`training curves${missing}`, () => {
    const task = missing === "" ? readTask(readFileSync(file)) : undefined;
    onEach((backend) => {
      it.each(golden.runs.map((run) => [run.id, run] as const))(
        "%s",
        async (_id, run) => {
          if (!task || run.dataset !== task.name) throw new Error(`no data of ${run.dataset}`);
          expect(await missesOfRun(backend, task, run)).toEqual([]);
        },
        60_000,
      );
    });
  });
}
