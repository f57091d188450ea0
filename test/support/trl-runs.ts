// TRL 1.16's DPOTrainer, run on real pairs, followed step by step: ../shared/golden/README.md, `trl-1.16-runs.json`. Model and runs are
// not part of the package: where ../shared is missing, all is skipped visibly. No assertion prints tokens: the texts are offensive.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import type { PaddedBatch, TrlConfig } from "../../src/index.ts";
import { readSafetensors } from "../../src/safetensors/read.ts";
import { createTrainer } from "../../src/train.ts";
import type { AnyBackend } from "./candidate.ts";
import { missesNear } from "./compare.ts";

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

const shared = new URL("../../../shared/", import.meta.url);
const file = new URL("golden/trl-1.16-runs.json", shared);
const folder = new URL("data/stories260k-hf/", shared);
const missing = existsSync(file) && existsSync(folder) ? "" : " (skipped: ../shared is not here)";
const { tokens, runs }: Runs = missing === "" ? JSON.parse(readFileSync(file, "utf8")) : { tokens: [], runs: [] };
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

async function runBody({ pairs, length, inputIds, attentionMask }: PaddedBatch): Promise<Float32Array> {
  const int64 = (values: ArrayLike<number>) =>
    new ort.Tensor("int64", BigInt64Array.from(Array.from(values), BigInt), [2 * pairs, length]);
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

/** How far each column of the log may be from TRL's, which ran in float32. */
const bounds: readonly (readonly [keys: readonly string[], relative: number, absolute: number])[] = [
  [["loss"], 2e-4, 0],
  [["grad_norm"], 2e-3, 0],
  [["learning_rate"], 1e-11, 0],
  [["num_tokens"], 0, 0],
  [["entropy", "mean_token_accuracy", "logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected"], 2e-4, 0],
  [["rewards/chosen", "rewards/rejected", "rewards/margins"], 0, 5e-4],
];

async function missesOfRun(backend: AnyBackend, run: Run): Promise<string[]> {
  const head = readHead();
  const start = head.weight.slice();
  const { config } = run;
  const trainer = await createTrainer({ config, examples: tokens, backbone: hiddenOf, head, backend, shuffle: false });
  const found: string[] = [];
  let steps = 0;
  for await (const { metrics } of trainer) {
    for (const [keys, relative, absolute] of bounds) {
      for (const key of keys) {
        const [own, want] = [metrics[key] as number, run.steps[key]?.[steps] as number];
        found.push(...missesNear(`step ${steps} ${key}`, [own], [want], relative, absolute));
      }
    }
    steps++;
  }
  if (steps !== run.config["max_steps"]) found.push(`${steps} steps instead of ${run.config["max_steps"]}`);
  const change = head.weight.map((x, i) => x - (start[i] as number));
  found.push(...missesNear("|change|", [Math.hypot(...change)], [run.change_norm], 2e-3));
  // An entry whose first gradient lies within rounding of 0 may go either way under Adam: most entries decide.
  const allowed = (2e-3 * run.change_norm) / Math.sqrt(change.length);
  const far = run.change_samples.filter(([at, want]) => !(Math.abs((change[at] as number) - want) <= allowed));
  if (far.length > run.change_samples.length / 20) found.push(`${far.length} samples of the change are off`);
  return found;
}

/** The runs on backends. */
export function trlRuns(onEach: (tests: (backend: () => AnyBackend) => void) => void): void {
  describe.skipIf(missing !== "")(`runs of TRL 1.16${missing}`, () => {
    onEach((backend) => {
      it.each(runs.map((run) => [run.id, run] as const))("%s", async (_id, run) => {
        expect(await missesOfRun(backend(), run)).toEqual([]);
      });
    });
  });
}
