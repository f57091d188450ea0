// TRL 1.16's trainers, run on real pairs, followed step by step: ../shared/golden/README.md, `trl-1.16-runs.json`, and more of them in
// golden/trl-runs. Model and tokens are not part of the package: where ../shared is missing, all is skipped visibly. No assertion
// prints tokens: the texts are offensive.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import type { PaddedBatch, TrlConfig } from "../../src/index.ts";
import { readSafetensors } from "../../src/safetensors/read.ts";
import { createTrainer } from "../../src/train.ts";
import type { AnyBackend } from "./candidate.ts";
import { missesNear } from "./compare.ts";

export interface Run {
  id: string;
  config: TrlConfig;
  /** What was logged, an entry each time. */
  log: Record<string, number[]>;
  change_norm: number;
  change_samples?: [at: number, change: number][];
  trainer?: "dpo" | "kto" | "cpo" | "orpo";
  /** How many of the examples, the last ones, are for evaluation. */
  evaluated?: number;
}

interface Runs {
  tokens: { prompt_ids: number[]; chosen_ids: number[]; rejected_ids: number[] }[];
  runs: (Omit<Run, "log"> & { steps: Run["log"] })[];
}

const shared = new URL("../../../shared/", import.meta.url);
const file = new URL("golden/trl-1.16-runs.json", shared);
const folder = new URL("data/stories260k-hf/", shared);
const missing = existsSync(file) && existsSync(folder) ? "" : " (skipped: ../shared is not here)";
const given: Runs = missing === "" ? JSON.parse(readFileSync(file, "utf8")) : { tokens: [], runs: [] };
const { tokens } = given;
const more: { runs: Run[] } = JSON.parse(
  readFileSync(new URL("../golden/trl-runs/runs.json", import.meta.url), "utf8"),
);
/** The runs that came with the data, and all. */
export const firstRuns: readonly Run[] = given.runs.map(({ steps, ...run }) => ({ ...run, log: steps }));
const allRuns = [...firstRuns, ...more.runs];
/** The chosen completions, or of every third example the rejected one. */
const rows = tokens.map(({ prompt_ids, chosen_ids, rejected_ids }, i) => ({
  prompt_ids,
  completion_ids: i % 3 > 0 ? chosen_ids : rejected_ids,
  label: i % 3 > 0,
}));
const session =
  missing === "" ? ort.InferenceSession.create(readFileSync(new URL("onnx/model.onnx", folder))) : undefined;

/** What the frozen body makes of each batch: hidden states after its last norm. It takes longer than a run, so they are kept. */
const bodies = new Map<string, Promise<Float32Array>>();

function hiddenOf(batch: PaddedBatch): Promise<Float32Array> {
  const key = createHash("sha256").update(batch.inputIds).update(batch.completionMask).digest("hex");
  const made = bodies.get(key) ?? runBody(batch);
  bodies.set(key, made);
  return made;
}

async function runBody({ length, inputIds, attentionMask }: PaddedBatch): Promise<Float32Array> {
  const int64 = (values: ArrayLike<number>) =>
    new ort.Tensor("int64", BigInt64Array.from(Array.from(values), BigInt), [inputIds.length / length, length]);
  const positions = Int32Array.from(inputIds, (_, i) => i % length);
  const feeds = {
    input_ids: int64(inputIds),
    attention_mask: int64(attentionMask),
    position_ids: int64(positions),
  };
  const { last_hidden_state: hidden } = await (await (session as Promise<ort.InferenceSession>)).run(feeds);
  return (hidden as ort.Tensor).data as Float32Array;
}

/** The head, untied, begins as the embedding. */
function readHead() {
  const { tensors } = readSafetensors(readFileSync(new URL("model.safetensors", folder)));
  const embedding = tensors["model.embed_tokens.weight"];
  const [vocab = 0, hiddenSize = 0] = embedding?.shape ?? [];
  return { weight: Float32Array.from(embedding?.data as Float32Array), vocab, hiddenSize };
}

/** How far each column of the log may be from TRL's, which ran in float32: relative, absolute. Nine digits are in golden/trl-runs. */
function boundOf(key: string, hasAllDigits: boolean): readonly [relative: number, absolute: number] {
  const name = key.replace(/^eval_/, "");
  if (name === "grad_norm") return [2e-3, 0];
  if (name === "learning_rate") return [hasAllDigits ? 1e-11 : 5e-9, 0];
  if (name === "num_tokens") return [0, 0];
  if (name === "kl" || name.startsWith("rewards/")) return [0, 5e-4];
  return [2e-4, hasAllDigits ? 0 : 1e-5];
}

/** CPO's and ORPO's trainers average the logits of prompts and padding too. */
const isOurs = (key: string, { trainer }: Run) =>
  !(/^(eval_)?logits\//.test(key) && /^(cpo|orpo)$/.test(trainer ?? ""));

async function missesOfRun(backend: AnyBackend, run: Run): Promise<string[]> {
  const head = readHead();
  const start = head.weight.slice();
  const { config, trainer, evaluated = 0 } = run;
  const all = trainer === "kto" ? rows : tokens;
  const training = await createTrainer({
    ...{ config, trainer, head, backend, backbone: hiddenOf, shuffle: false, onWarning: () => {} },
    examples: all.slice(0, all.length - evaluated),
    evalExamples: evaluated > 0 ? all.slice(-evaluated) : undefined,
  });
  const got: Record<string, number[]> = {};
  for await (const { log = {}, metrics } of training) {
    const evaluation = Object.entries(metrics).filter(([key]) => key.startsWith("eval_"));
    for (const [key, value] of [...Object.entries(log), ...evaluation]) got[key] = [...(got[key] ?? []), Number(value)];
  }
  const columns = Object.entries(run.log).filter(([key]) => isOurs(key, run));
  const found = columns.flatMap(([key, want]) =>
    missesNear(key, got[key] ?? [], want, ...boundOf(key, trainer === undefined)),
  );
  const change = head.weight.map((x, i) => x - (start[i] as number));
  found.push(...missesNear("|change|", [Math.hypot(...change)], [run.change_norm], 2e-3));
  // An entry whose first gradient lies within rounding of 0 may go either way under Adam: most entries decide.
  const allowed = (2e-3 * run.change_norm) / Math.sqrt(change.length);
  const samples = run.change_samples ?? [];
  const far = samples.filter(([at, want]) => !(Math.abs((change[at] as number) - want) <= allowed));
  if (far.length > samples.length / 20) found.push(`${far.length} samples of the change are off`);
  return found;
}

/** The runs on backends. */
export function trlRuns(
  onEach: (tests: (backend: () => AnyBackend) => void) => void,
  runs: readonly Run[] = allRuns,
): void {
  describe.skipIf(missing !== "")(`runs of TRL 1.16${missing}`, () => {
    onEach((backend) => {
      it.each(runs.map((run) => [run.id, run] as const))("%s", async (_id, run) => {
        expect(await missesOfRun(backend(), run)).toEqual([]);
      });
    });
  });
}
