// A misspelt name of an optional field is refused in every record of the contract, with the name and the nearest known one.

import { describe, expect, it } from "vitest";
import { collate, createBackend, createRunningMean, createWasm, defineLoss, fromTrl } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import { adamw, adamwState, lrSchedule, sgd } from "../src/train.ts";
import { createWebGpu } from "../src/webgpu.ts";
import { onEachBackend } from "./support/backends.ts";
import { randomLinear } from "./support/linear.ts";
import { packTokens, randomLogits } from "./support/logits.ts";
import { randomPairs } from "./support/pairs.ts";

const shape = { pairs: 2, length: 4, vocab: 5, seed: 11, width: 3 };
const logits = () => randomLogits(shape);
const linear = () => randomLinear({ ...shape, rank: 2 });

async function expectRefused(call: () => unknown, name: string, nearest: string): Promise<void> {
  let thrown: unknown;
  try {
    await call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ name: "ParamError", code: "unknown-option" });
  expect((thrown as Error).message).toContain(name);
  expect((thrown as Error).message).toMatch(new RegExp(`did you mean .*\\b${nearest}\\?$`));
}

onEachBackend((backend) => {
  const packed = () => ({ ...logits(), tokens: { ...packTokens(logits().tokens), lenghts: 1 } });
  it.each<[what: string, name: string, nearest: string, call: () => unknown]>([
    ["pairs", "pairWeight", "pairWeights", () => backend.pairLoss({ ...randomPairs(4, 1), pairWeight: 1 } as never)],
    ["options", "gradScales", "gradScale", () => backend.pairLoss(randomPairs(4, 1), { gradScales: 1 } as never)],
    ["out", "gradChosn", "gradChosen", () => backend.pairLoss(randomPairs(4, 1), { out: { gradChosn: 1 } } as never)],
    ["a batch", "refrence", "reference", () => backend.logitsLoss({ ...logits(), refrence: 1 } as never)],
    ["packed tokens", "lenghts", "lengths", () => backend.logitsLoss(packed() as never, { lossType: "sft" })],
    ["a head", "biases", "bias", () => backend.linearLoss({ ...linear(), biases: 1 } as never)],
    [
      "lora",
      "scales",
      "scale",
      () => backend.linearLoss({ ...linear(), lora: { ...linear().lora, scales: 1 } } as never),
    ],
    ["sequenceLogps", "ldAlhpa", "ldAlpha", () => backend.sequenceLogps(logits() as never, { ldAlhpa: 1 } as never)],
  ])("%s", async (_what, name, nearest, call) => {
    await expectRefused(call, name, nearest);
  });
});

describe("without a backend", () => {
  const array = () => new Float32Array(2);
  it.each<[what: string, name: string, nearest: string, call: () => unknown]>([
    ["createWasm", "reserved", "reserve", () => createWasm({ reserved: 1 } as never)],
    ["createPool", "worker", "workers", () => createPool({ worker: 1 } as never)],
    ["createBackend", "modul", "module", () => createBackend({ modul: 1 } as never)],
    ["createWebGpu", "powerPreferense", "powerPreference", () => createWebGpu({ powerPreferense: 1 } as never)],
    ["createRunningMean", "counts", "count", () => createRunningMean({ mean: 0, count: 0, counts: 1 } as never)],
    ["defineLoss", "normalized", "normalised", () => defineLoss({ id: "x", params: {}, normalized: true } as never)],
    ["fromTrl", "versions", "version", () => fromTrl({}, { versions: "1" } as never)],
    ["collate", "maxLenght", "maxLength", () => collate([], { maxLenght: 1 } as never)],
    [
      "adamw",
      "weightDecays",
      "weightDecay",
      () => adamw(array(), array(), adamwState(array()), { weightDecays: 1 } as never),
    ],
    ["sgd", "momentums", "momentum", () => sgd(array(), array(), { step: 0 }, { momentums: 1 } as never)],
    ["lrSchedule", "warmup_steps", "warmupSteps", () => lrSchedule(1, { warmup_steps: 1 } as never)],
  ])("%s", async (_what, name, nearest, call) => expectRefused(call, name, nearest));
});
