// Shapes that fill no tile, several tiles and several shards; element types; the adapter; references of every form.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { Floats } from "../src/types.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import { fromBits, type HalfType, numbersOf, toBits, wrappers } from "./support/half.ts";
import {
  expectedLinear,
  type LinearCase,
  type LinearShape,
  logitsOf,
  missesOfLinear,
  missesOfLinearBits,
  randomLinear,
} from "./support/linear.ts";

const base = { pairs: 2, length: 6, vocab: 33, width: 12, seed: 391 };
const shapes: Record<string, LinearShape> = {
  "vocabulary 1": { ...base, vocab: 1 },
  "vocabulary 7": { ...base, vocab: 7 },
  "vocabulary 8": { ...base, vocab: 8 },
  "one past a block of ids": { ...base, vocab: 257 },
  "width 1": { ...base, width: 1 },
  "width 3": { ...base, width: 3 },
  "width 21, bias": { ...base, width: 21, bias: true },
  "one row a sequence": { ...base, pairs: 1, length: 2, isPacked: true },
  "no row at all": { ...base, pairs: 1, length: 1 },
  "rank 1": { ...base, rank: 1 },
  "rank 5, bias": { ...base, width: 11, rank: 5, bias: true },
  "rank above the width": { ...base, width: 3, rank: 9, holes: 0.5 },
  "several tiles of tokens": { ...base, pairs: 3, length: 150, vocab: 50 },
  "several shards": { ...base, vocab: 2900, bias: true },
  "several of both, packed": { ...base, pairs: 3, length: 120, vocab: 600, isPacked: true },
};

/** The same call in a half type, and what its numbers are. */
function halved(call: LinearCase, type: HalfType, wrap: (bits: Uint16Array) => Floats): LinearCase {
  const of = (floats: Floats): Floats => wrap(toBits(type, numbersOf(floats)));
  return { ...call, hidden: of(call.hidden), weight: of(call.weight), ...(call.bias && { bias: of(call.bias) }) };
}

onEachBackend((backend) => {
  it.each(Object.entries(shapes))("%s", async (_name, shape) => {
    const call = randomLinear(shape);
    expect(missesOfLinear(await backend.linearLoss(call), expectedLinear(call))).toEqual([]);
  });

  describe.each(Object.entries(wrappers))("%s", (_name, { type, wrap }) => {
    const half = (shape: LinearShape) => halved(randomLinear({ ...base, ...shape }), type, wrap);
    it.each([
      { ...base, vocab: 45, width: 13, bias: true },
      { ...base, vocab: 16, width: 16, isPacked: true },
      { ...base, width: 5, rank: 3, bias: true },
    ])("vocabulary $vocab, width $width, gradients in float32", async (shape) => {
      const call = half(shape);
      const got = await backend.linearLoss(call, { gradType: "f32" });
      expect(got.gradHidden).toBeInstanceOf(Float32Array);
      expect(missesOfLinear(got, expectedLinear(call))).toEqual([]);
    });

    it("gradients in the type of their inputs are those in float32, rounded once", async () => {
      const call = half({ ...base, vocab: 45, width: 13, bias: true });
      const options = { gradScale: 300 };
      const wide = await backend.linearLoss(call, { ...options, gradType: "f32" });
      const got = await backend.linearLoss(call, options);
      for (const name of ["gradHidden", "gradWeight", "gradBias"] as const) {
        const rounded = fromBits(type, toBits(type, wide[name] as Float32Array));
        expect(numbersOf(got[name] as Floats)).toEqual(rounded);
        expect(Object.keys(got[name] as object)).toEqual(Object.keys(wrap(new Uint16Array(rounded.length))));
      }
    });
  });

  it("types may be mixed", async () => {
    const call = randomLinear({ ...base, bias: true });
    const mixed = {
      ...call,
      weight: { bf16: toBits("bf16", call.weight as Float32Array) },
      bias: { f16: toBits("f16", call.bias as Float32Array) },
    };
    expect(missesOfLinear(await backend.linearLoss(mixed, { gradType: "f32" }), expectedLinear(mixed))).toEqual([]);
  });

  it("the reference may be log-probs, logits, or a model of another width", async () => {
    const call = randomLinear(base);
    const { tokens, vocab, reference } = call;
    const want = await backend.linearLoss(call);
    const logits = logitsOf(reference, vocab, base.width);
    const { logps } = await backend.sequenceLogps({ tokens, vocab, logits });
    for (const other of [{ logits }, { logps }]) {
      expect(missesOfLinear(await backend.linearLoss({ ...call, reference: other }), expectedLinear(call))).toEqual([]);
    }
    // Columns of zeros change nothing.
    const widen = (floats: Floats): Float32Array => {
      const from = numbersOf(floats);
      const rows = from.length / base.width;
      return Float32Array.from({ length: rows * 20 }, (_, i) =>
        i % 20 < base.width ? (from[Math.floor(i / 20) * base.width + (i % 20)] as number) : 0,
      );
    };
    const wider = { hidden: widen(reference.hidden), weight: widen(reference.weight), hiddenSize: 20 };
    expect(missesOfLinearBits(await backend.linearLoss({ ...call, reference: wider }), want)).toEqual([]);
  });
});

// Slow in JavaScript: once for both modules.
const wide = (
  [
    [1024, 80, 512],
    [4096, 40, 256],
  ] as const
).map(([width, length, least]) => {
  const call = randomLinear({ ...base, pairs: 10, length, vocab: 136, width, isPacked: true });
  const tokens = (call.hidden as Float32Array).length / width;
  if (tokens <= least) throw new Error(`expected more than ${least} tokens of ${width} numbers, got ${tokens}`);
  const result = createJs().linearLoss(call);
  const { gradHidden, gradWeight } = result as { gradHidden: Float32Array; gradWeight: Float32Array };
  const gradients = { gradHidden: Float64Array.from(gradHidden), gradWeight: Float64Array.from(gradWeight) };
  return { call, want: { result: { ...result, gradLogits: gradHidden }, gradients } };
});

onEachWasm((backend) => {
  it("more hidden states than are held packed give what the definition gives", async () => {
    for (const { call, want } of wide) expect(missesOfLinear(await backend.linearLoss(call), want)).toEqual([]);
  });
});
