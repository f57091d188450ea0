// Gradient accumulation: the gradients of a head over any split of a batch, parts without a gradient included, are those of the
// whole batch; what a part without a gradient leaves is what was there.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Floats, LinearBuffers, LinearLossOptions, PackedTokens } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { excessOver, magnitude, misses, missesSame } from "./support/compare.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { gradientsOf, type LinearCase, randomLinear } from "./support/linear.ts";
import { rawOf } from "./support/logits-results.ts";
import { randomFrom } from "./support/pairs.ts";

// Several shards of several blocks of ids each.
const base = { pairs: 5, length: 6, vocab: 600, width: 9, seed: 71, isPacked: true };
const heads: Record<string, LinearCase> = {
  "a full head": randomLinear(base),
  "a head with a bias": randomLinear({ ...base, bias: true }),
  "an adapter": randomLinear({ ...base, rank: 3 }),
  "an adapter and a bias": randomLinear({ ...base, rank: 2, bias: true }),
};
const inHalves = (call: LinearCase): LinearCase => ({
  ...call,
  weight: { bf16: toBits("bf16", call.weight as Float32Array) },
  bias: call.bias && { f16: toBits("f16", call.bias as Float32Array) },
});
heads["a head of halves"] = inHalves(randomLinear({ ...base, bias: true }));

/** The gradients of a head, each filled by `make`, in the types of the head. */
function buffersFor({ weight, bias, lora }: LinearCase, make: (i: number) => number): LinearBuffers {
  const like = (floats: Floats): Floats => {
    const values = Float32Array.from({ length: numbersOf(floats).length }, (_, i) => make(i));
    if ("f16" in floats) return { f16: toBits("f16", values) };
    return "bf16" in floats ? { bf16: toBits("bf16", values) } : values;
  };
  if (lora) return { gradA: like(lora.a), gradB: like(lora.b) } as LinearBuffers;
  return { gradWeight: like(weight), ...(bias && { gradBias: like(bias) }) };
}

/** Pairs of a batch, and their reference as log-probs. */
function partOf(call: LinearCase, logps: Float64Array, pairs: readonly number[]): LinearCase {
  const { offsets, targets, lengths } = call.tokens as PackedTokens & { offsets: Int32Array };
  const sequences = [...pairs, ...pairs.map((i) => i + base.pairs)];
  const rows = sequences.flatMap((r) => {
    const [from, to] = [offsets[r] as number, offsets[r + 1] as number];
    return Array.from({ length: to - from }, (_, k) => from + k);
  });
  let end = 0;
  const own = [0, ...sequences.map((r) => (end += (offsets[r + 1] as number) - (offsets[r] as number)))];
  const width = base.width;
  const hidden = new Float32Array(rows.length * width);
  rows.forEach((row, k) => {
    hidden.set((call.hidden as Float32Array).subarray(row * width, (row + 1) * width), k * width);
  });
  const tokens = {
    pairs: pairs.length,
    offsets: Int32Array.from(own),
    targets: Int32Array.from(rows, (row) => Number(targets[row])),
    lengths: Int32Array.from(sequences, (r) => Number(lengths?.[r])),
  };
  return {
    ...call,
    tokens,
    hidden,
    reference: { logps: Float64Array.from(sequences, (r) => logps[r] as number) },
  } as never;
}

const noTokens = { pairs: 2, offsets: new Int32Array(5), targets: new Int32Array(0) };
const far = (chosen: number): Float64Array =>
  Float64Array.from({ length: 2 * base.pairs }, (_, r) => (r < base.pairs ? -chosen : chosen));

/** Calls in which no token has a gradient. */
const idle: Record<string, (call: LinearCase) => [call: LinearCase, options: LinearLossOptions]> = {
  "a satisfied hinge": (call) => [{ ...call, reference: { logps: far(1e4) } } as never, { lossType: "hinge" }],
  "a saturated sigmoid": (call) => [{ ...call, reference: { logps: far(1e5) } } as never, {}],
  "gradScale 0": (call) => [call, { gradScale: 0 }],
  "no loss has a weight": (call) => [call, { lossType: ["ipo", "sigmoid"], lossWeights: [0, 0] }],
  "no token that counts": (call) => [
    { ...call, tokens: noTokens, hidden: new Float32Array(0), reference: { logps: new Float64Array(4) } } as never,
    {},
  ],
};

const bitsOfAll = (buffers: LinearBuffers): number[][] =>
  Object.values(buffers).map((floats) => Array.from(rawOf(floats as Floats)));

onEachBackend((backend, name) => {
  describe.each(Object.entries(heads))("%s", (_head, call) => {
    it.each(Object.entries(idle))("%s: what is added to stays, to the bit", async (_how, make) => {
      const [given, options] = make(call);
      const out = buffersFor(call, (i) => 1 + (i % 7));
      const before = bitsOfAll(out);
      const hidden = new Float32Array((given.hidden as Float32Array).length).fill(7);
      for (let times = 0; times < 2; times++) {
        await backend.linearLoss(given, { ...options, accumulate: true, out: { ...out, gradHidden: hidden } });
        expect(bitsOfAll(out)).toEqual(before);
        expect(hidden.every((x) => x === 0)).toBe(true);
      }
    });

    it.each(Object.entries(idle))("%s: zeros without accumulate", async (_how, make) => {
      const [given, options] = make(call);
      const out = buffersFor(call, () => 7);
      const gradients = gradientsOf(await backend.linearLoss(given, { ...options, out }));
      for (const [name, values] of Object.entries(gradients)) {
        expect(missesSame(name, values, new Float32Array(values.length))).toEqual([]);
      }
    });
  });

  it("over any split of a batch comes to the whole batch", async () => {
    const { logps } = await backend.linearLoss(heads["a full head"] as LinearCase);
    const property = (recipe: Recipe) => expectSplit(backend, recipe, Float64Array.from(logps));
    const numRuns = name === "webgpu" ? 2 : 25;
    await fc.assert(fc.asyncProperty(recipes, property), { numRuns, seed: 20261129 });
  });
});

const recipes = fc.record({
  head: fc.constantFrom("a full head", "a head with a bias", "an adapter", "an adapter and a bias"),
  lossType: fc.constantFrom("sigmoid", "hinge", "apo_zero", "ipo"),
  beta: fc.constantFrom(0.1, 0.5),
  /** The part of each pair. */
  parts: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: base.pairs, maxLength: base.pairs }),
  /** Pairs that have no gradient under a hinge. */
  satisfied: fc.array(fc.boolean(), { minLength: base.pairs, maxLength: base.pairs }),
  seed: fc.integer(),
});
type Recipe = typeof recipes extends fc.Arbitrary<infer T> ? T : never;

async function expectSplit(backend: AnyBackend, recipe: Recipe, near: Float64Array): Promise<void> {
  const { head, lossType, beta, parts, satisfied, seed } = recipe;
  const call = heads[head] as LinearCase;
  const random = randomFrom(seed);
  const logps = near.map((x, r) => {
    const distance = satisfied[r % base.pairs] ? 1e4 : random();
    return r < base.pairs ? x - distance : x + distance;
  });
  const options = { lossType, beta } as const;
  const all = Array.from({ length: base.pairs }, (_, i) => i);
  const want = gradientsOf(await backend.linearLoss(partOf(call, logps, all), options));
  const out = buffersFor(call, () => 0);
  // Parts that nobody chose have no token at all.
  for (let part = 0; part < 5; part++) {
    const pairs = all.filter((i) => parts[i] === part);
    const [given] =
      pairs.length > 0
        ? [partOf(call, logps, pairs)]
        : (idle["no token that counts"] as NonNullable<(typeof idle)[string]>)(call);
    const gradScale = Math.max(pairs.length, 1) / base.pairs;
    await backend.linearLoss(given, { ...options, gradScale, accumulate: true, out });
  }
  for (const [key, floats] of Object.entries(out)) {
    const bound = 2e-6 * magnitude(want[key] ?? []) + 1e-12;
    expect(misses(key, numbersOf(floats as Floats), want[key] ?? [], (g, w) => excessOver(bound, g, w))).toEqual([]);
  }
}
