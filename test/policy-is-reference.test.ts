// One number for one thing: what is asked for beside it (metrics, entropy, WPO's weights) never moves its bits, and policy and
// reference of the same logits, or of the same head, are equal to the bit: margins and accuracies are exactly 0.

import { describe, expect, it } from "vitest";
import { cutVocabulary } from "../src/cpu/head-shards.ts";
import type { Floats, LinearBatch, LogitsLossOptions, LogitsLossResult, Reference } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { misses } from "./support/compare.ts";
import { toBits } from "./support/half.ts";
import { missesOfLinearBits, randomLinear } from "./support/linear.ts";
import { randomLogits } from "./support/logits.ts";
import { rawOf } from "./support/logits-results.ts";

const types: Record<string, (logits: Float32Array) => Floats> = {
  float32: (logits) => logits,
  float16: (logits) => ({ f16: toBits("f16", logits) }),
  bfloat16: (logits) => ({ bf16: toBits("bf16", logits) }),
};

// Odd ends of vectors, and more than one block of the kernels' and of the GPU's.
const shapes = [
  { pairs: 5, length: 9, vocab: 1, seed: 1 },
  { pairs: 6, length: 11, vocab: 37, seed: 2, holes: 0.2 },
  { pairs: 4, length: 7, vocab: 1003, seed: 3, spread: 6 },
  { pairs: 2, length: 4, vocab: 40009, seed: 4 },
];
function batchOf(shape: (typeof shapes)[number], convert: (logits: Float32Array) => Floats) {
  const { tokens, vocab, logits } = randomLogits(shape);
  // Far ones too, whose probability is 0 in float32.
  const spread = logits.map((x, i) => (i % 5 === 0 ? x - 60 : x));
  return { tokens, vocab, logits: convert(spread) };
}

const asked: Record<string, LogitsLossOptions> = {
  nothing: {},
  metrics: { metrics: "full" },
  weights: { weighting: "wpo" },
  both: { metrics: "full", weighting: "wpo" },
};

type Result = Omit<LogitsLossResult, "gradLogits">;

function expectNoMargin({ metrics, chosenRewards, rejectedRewards }: Result): void {
  const of = (name: string) => [metrics[`rewards/${name}`], name];
  const names = ["margins", "accuracies", "chosen", "rejected"];
  expect(names.map(of)).toEqual(names.map((name) => [0, name]));
  for (const rewards of [chosenRewards, rejectedRewards]) expect(rewards?.every((x) => x === 0) ?? true).toBe(true);
}

const other = (g: number, w: number): number => (Object.is(g, w) ? 0 : Infinity);
const numbers = ["logps", "tokenLogps", "logsumexp"] as const;
const moved = (got: Result, want: Result, names: readonly (keyof Result)[]): string[] =>
  names.flatMap((name) => misses(name, got[name] as Float64Array, want[name] as Float64Array, other));

/** The loss whose gradient is wanted far from margin 0 too. */
const near = (logps: Float64Array): Reference => ({ logps: logps.map((x, r) => x + Math.cos(r)) });

onEachBackend((backend, name) => {
  describe.each(Object.entries(types))("%s", (_type, convert) => {
    // A software driver takes seconds for the largest.
    const own = name === "webgpu" ? shapes.slice(1, 3) : shapes;
    it.each(own)("$vocab logits a row", async (shape) => {
      const batch = batchOf(shape, convert);
      const { logps } = await backend.sequenceLogps(batch);
      const results: Result[] = [];
      for (const options of Object.values(asked)) {
        expectNoMargin(await backend.logitsLoss({ ...batch, reference: { logits: batch.logits } }, options));
        expectNoMargin(await backend.logitsLoss({ ...batch, reference: { logps } }, options));
        results.push(await backend.logitsLoss({ ...batch, reference: near(logps as Float64Array) }, options));
      }
      const [plain, full, weighted, both] = results as [Result, Result, Result, Result];
      for (const each of [full, weighted, both]) expect(moved(each, plain, numbers)).toEqual([]);
      expect(await movedOfCall(backend, batch, near(logps as Float64Array))).toEqual([]);
      expect(both.losses).toEqual(weighted.losses);
      for (const [got, want] of [[full, plain] as const, [both, weighted] as const]) {
        expect(rawOf((got as LogitsLossResult).gradLogits)).toEqual(rawOf((want as LogitsLossResult).gradLogits));
        expect(moved(got, want, ["losses", "gradChosen", "gradRejected"])).toEqual([]);
        expect(got.loss).toBe(want.loss);
        for (const key of Object.keys(want.metrics)) expect([key, got.metrics[key]]).toEqual([key, want.metrics[key]]);
      }
      const alone = await backend.sequenceLogps(batch, { metrics: "full" });
      expect(moved(alone as Result, plain, numbers)).toEqual([]);
    });
  });

  it("ldAlpha, and losses that normalise by length", async () => {
    const batch = batchOf(shapes[1] as (typeof shapes)[number], (logits) => logits);
    const { logps } = await backend.sequenceLogps(batch, { ldAlpha: 0.3 });
    for (const reference of [{ logits: batch.logits }, { logps }]) {
      const options: LogitsLossOptions = { ldAlpha: 0.3, lossType: ["ipo", "sigmoid"], metrics: "full" };
      expectNoMargin(await backend.logitsLoss({ ...batch, reference }, options));
    }
  });

  const linear = { pairs: 5, length: 8, vocab: 700, width: 24, seed: 5 };
  const heads: Record<string, LinearBatch> = {
    "a head": randomLinear(linear),
    "a head with a bias": randomLinear({ ...linear, bias: true }),
    "an adapter of zeros": withZeros(randomLinear({ ...linear, rank: 3 })),
    "an adapter of zeros and a bias": withZeros(randomLinear({ ...linear, rank: 3, bias: true })),
  };
  it.each(Object.entries(heads))("linearLoss: %s", async (_head, batch) => {
    const { hidden, weight, bias } = batch;
    const same = { hidden, weight, ...(bias && { bias }) };
    const results = [];
    for (const options of Object.values(asked)) {
      expectNoMargin(await backend.linearLoss({ ...batch, reference: same }, options));
      results.push(await backend.linearLoss({ ...batch, reference: near(new Float64Array(10).fill(-40)) }, options));
    }
    const [plain, full, weighted, both] = results as [LinearResult, LinearResult, LinearResult, LinearResult];
    expect(missesOfLinearBits(full, plain)).toEqual([]);
    expect(missesOfLinearBits(both, weighted)).toEqual([]);
    expect(moved(weighted, plain, numbers)).toEqual([]);
  });
});

type LinearResult = Awaited<ReturnType<AnyBackend["linearLoss"]>>;

function withZeros(batch: LinearBatch): LinearBatch {
  const { lora } = batch;
  return { ...batch, lora: lora && { ...lora, b: new Float32Array((lora.b as Float32Array).length) } };
}

/** What naming rewards in `out` moves. */
async function movedOfCall(backend: AnyBackend, batch: Parameters<AnyBackend["logitsLoss"]>[0], reference: Reference) {
  const want = await backend.logitsLoss({ ...batch, reference });
  const pairs = want.losses.length;
  const out = { chosenRewards: new Float32Array(pairs), rejectedRewards: new Float32Array(pairs) };
  const got = await backend.logitsLoss({ ...batch, reference }, { out });
  return moved(got, want, [...numbers, "losses", "gradChosen", "gradRejected"]);
}

it("neither bias nor adapter changes where the vocabulary is cut", () => {
  const data = (n: number) => ({ type: "f32" as const, data: new Float32Array(n) });
  const rows = new Int32Array(1000);
  const head = {
    hidden: data(0),
    rows,
    targets: rows,
    width: 1000,
    vocab: 4096,
    weight: data(0),
    bias: undefined,
    lora: undefined,
  };
  const lora = { a: data(0), b: data(0), u: data(0), rank: 8, scale: 1 };
  expect(cutVocabulary(head)).toHaveLength(8);
  expect(cutVocabulary({ ...head, bias: data(0), lora })).toEqual(cutVocabulary(head));
});
