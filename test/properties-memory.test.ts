// Where the arrays lie makes no difference: views at odd offsets, shared memory, the backend's own memory. And no call
// changes its inputs.

import { describe, expect, it } from "vitest";
import type { LengthArray, PairBuffers, PairLogps } from "../src/types.ts";
import { checkCalls } from "./support/arbitraries.ts";
import { onEachBackend, onEachLocalWasm, onEachWasm, RESERVE } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { missesBits } from "./support/compare.ts";
import { bytesOf, sameBytes } from "./support/guards.ts";
import { mapPairs } from "./support/pairs.ts";

type Constructor = new (buffer: ArrayBufferLike, offset: number, length: number) => LengthArray;

/** The same numbers in the middle of a larger buffer, one element off every wider alignment. */
function shifted(array: LengthArray, Buffer: new (bytes: number) => ArrayBufferLike, at: number): LengthArray {
  const { BYTES_PER_ELEMENT: size, length } = array;
  const buffer = new Buffer((length + at + 3) * size);
  const whole = new (array.constructor as Constructor)(buffer, 0, length + at + 3);
  whole.fill(Number.NaN);
  const view = whole.subarray(at, at + length);
  view.set(array);
  return view;
}

onEachBackend((backend) => {
  it.each([1, 2, 3, 5])("views %d elements into a larger buffer give the same bits", async (at) => {
    await checkCalls({}, async ({ pairs, options }) => {
      const views = mapPairs(pairs, (array) => shifted(array, ArrayBuffer, at));
      expect(missesBits(await backend.pairLoss(views, options), await backend.pairLoss(pairs, options))).toEqual([]);
    });
  });

  it("views of a SharedArrayBuffer give the same bits", async () => {
    await checkCalls({}, async ({ pairs, options }) => {
      const views = mapPairs(pairs, (array) => shifted(array, SharedArrayBuffer, 1));
      expect(missesBits(await backend.pairLoss(views, options), await backend.pairLoss(pairs, options))).toEqual([]);
    });
  });

  it("results in views at odd offsets and of a SharedArrayBuffer have the same bits, and nothing beside them", async () => {
    await checkCalls({}, async ({ pairs, options }) => {
      const { length } = pairs.policyChosen;
      const guarded = (): Float32Array<ArrayBufferLike> =>
        shifted(new Float32Array(length), SharedArrayBuffer, 1) as Float32Array<ArrayBufferLike>;
      const out = { losses: guarded(), gradChosen: guarded(), gradRejected: guarded() };
      const got = await backend.pairLoss(pairs, { ...options, out });
      expect(missesBits(got, await backend.pairLoss(pairs, options))).toEqual([]);
      for (const { buffer } of Object.values(out)) {
        const whole = new Float32Array(buffer);
        expect([whole[0], whole[length + 1], whole[length + 2], whole[length + 3]]).toEqual(Array(4).fill(Number.NaN));
      }
    });
  });

  it("inputs are never modified", async () => {
    await checkCalls({}, async ({ pairs, options }) => {
      const before = mapPairs(pairs, (array) => array.slice());
      await backend.pairLoss(pairs, { ...options, metrics: "full", validate: "finite" });
      for (const [name, array] of Object.entries(before)) {
        expect(sameBytes(bytesOf(array), bytesOf(pairs[name as keyof PairLogps] as LengthArray))).toBe(true);
      }
    });
  });
});

/** The float32 arrays in the memory of the backend, each behind `gap` elements that are not its own. */
function allocated(backend: AnyBackend, pairs: PairLogps, gap: number): { inside: PairLogps; free: () => void } {
  const blocks: Float32Array[] = [];
  const inside = mapPairs(pairs, (array) => {
    const block = backend.allocate("f32", array.length + gap);
    blocks.push(block);
    block.set(array, gap);
    return block.subarray(gap);
  });
  return { inside, free: () => blocks.forEach(backend.free) };
}

onEachWasm((backend) => {
  describe.each([0, 1])("arrays of `allocate`, %d elements in", (gap) => {
    it("give the same bits as the caller's own, as inputs and as results", async () => {
      await checkCalls({ float64: false }, async ({ pairs, options }) => {
        const { inside, free } = allocated(backend, pairs, gap);
        const results = allocated(backend, { ...buffersFor(pairs) }, gap);
        const want = await backend.pairLoss(pairs, options);
        expect(missesBits(await backend.pairLoss(inside, options), want)).toEqual([]);
        const out = results.inside as PairBuffers;
        expect(missesBits(await backend.pairLoss(inside, { ...options, out }), want)).toEqual([]);
        expect(missesBits(await backend.pairLoss(pairs, { ...options, out }), want)).toEqual([]);
        free();
        results.free();
      });
    });
  });

  it("results over the inputs in the backend's memory have the same bits", async () => {
    await checkCalls({ float64: false }, async ({ pairs, options }) => {
      const want = await backend.pairLoss(pairs, options);
      const { inside, free } = allocated(backend, pairs, 0);
      const { policyChosen, policyRejected, referenceChosen } = inside as { [K in keyof PairLogps]-?: Float32Array };
      const out = { losses: policyRejected, gradChosen: referenceChosen, gradRejected: policyChosen };
      expect(missesBits(await backend.pairLoss(inside, { ...options, out }), want)).toEqual([]);
      free();
    });
  });
});

onEachLocalWasm((backend) => {
  it("has all of its memory back when every array is freed", () => {
    const half = backend.allocate("u8", RESERVE / 2);
    expect(() => backend.allocate("u8", (RESERVE / 4) * 3)).toThrow(/contiguous/);
    backend.free(half);
    const most = backend.allocate("u8", RESERVE);
    backend.free(most);
  });
});

/** Arrays of the size of the batch, under the names of results. */
function buffersFor({ policyChosen: { length } }: PairLogps): PairLogps {
  const buffer = (): Float32Array => new Float32Array(length);
  return { losses: buffer(), gradChosen: buffer(), gradRejected: buffer() } as never as PairLogps;
}
