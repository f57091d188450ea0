// Where the arrays of a call that sees logits lie makes no difference: views at odd offsets, shared memory, the backend's own
// memory. And no call changes its inputs.

import { describe, expect, it } from "vitest";
import type { Floats, LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bytesOf, type Guarded, guarded, memoryOf, sameBytes, type Typed } from "./support/guards.ts";
import { toBits } from "./support/half.ts";
import { asBigInts, layoutNames, layouts, randomLogits } from "./support/logits.ts";
import { missesOfBits } from "./support/logits-results.ts";

const options: LogitsLossOptions = { lossType: ["ipo", "sft"], ldAlpha: 0.5, metrics: "full" };

const shapes = [
  { pairs: 3, length: 6, vocab: 37, seed: 101, holes: 0.2 },
  { pairs: 2, length: 5, vocab: 64, seed: 102 },
];
/** One whose rows are longer than a block of the staging. */
const wide = { pairs: 1, length: 3, vocab: 40_007, seed: 103 };

type Bits = Float32Array | Uint16Array;
const types: Record<string, { make: (logits: Float32Array) => Bits; wrap: (bits: Bits) => Floats }> = {
  float32: { make: (logits) => logits, wrap: (bits) => bits as Float32Array },
  float16: { make: (logits) => toBits("f16", logits), wrap: (bits) => ({ f16: bits as Uint16Array }) },
  bfloat16: { make: (logits) => toBits("bf16", logits), wrap: (bits) => ({ bf16: bits as Uint16Array }) },
};

/** Places each array of a call anew. */
function placed(
  call: ReturnType<(typeof layouts)["padded" | "packed"]>["batch"],
  place: <A extends Typed>(array: A) => A,
) {
  const { tokens, vocab, logits, reference } = call;
  const entries = Object.entries(tokens).map(([name, value]) => [
    name,
    typeof value === "number" ? value : place(value as Typed),
  ]);
  return {
    vocab,
    tokens: Object.fromEntries(entries) as typeof tokens,
    logits: place(logits),
    reference: { logits: place(reference.logits) },
  };
}

onEachBackend((backend, name) => {
  describe.each(layoutNames)("%s", (layout) => {
    it.each([1, 2, 3, 5])("views %d elements into a larger buffer give the same bits", async (at) => {
      for (const shape of shapes) {
        const { batch } = layouts[layout](randomLogits(shape));
        const views = placed(batch, (array) => guarded(array, at).view);
        expect(
          missesOfBits(await backend.logitsLoss(views, options), await backend.logitsLoss(batch, options)),
        ).toEqual([]);
      }
    });

    it("views of a SharedArrayBuffer give the same bits", async () => {
      for (const shape of shapes) {
        const { batch } = layouts[layout](randomLogits(shape));
        const views = placed(batch, (array) => guarded(array, 1, SharedArrayBuffer).view);
        expect(
          missesOfBits(await backend.logitsLoss(views, options), await backend.logitsLoss(batch, options)),
        ).toEqual([]);
      }
    });

    it("inputs are never modified", async () => {
      for (const shape of shapes) {
        const { batch } = layouts[layout](randomLogits(shape));
        const kept: { array: Typed; before: Uint8Array }[] = [];
        const views = placed(batch, (array) => {
          kept.push({ array, before: bytesOf(array).slice() });
          return array;
        });
        await backend.logitsLoss(views, { ...options, validate: "finite" });
        await backend.sequenceLogps(views, { ldAlpha: 0.5, metrics: "full", validate: "finite" });
        expect(kept).toHaveLength(layout === "padded" ? 4 : 5);
        for (const { array, before } of kept) expect(sameBytes(bytesOf(array), before)).toBe(true);
      }
    });
  });

  it("the logits of a call are all that it needs: 64-bit ids in views of shared memory go with halves", async () => {
    const { tokens, vocab, logits } = randomLogits(shapes[0] as (typeof shapes)[0]);
    const inputIds = guarded(asBigInts(tokens.inputIds), 3, SharedArrayBuffer).view;
    const halves = { bf16: guarded(toBits("bf16", logits), 5, SharedArrayBuffer).view };
    const reference = { logps: guarded(new Float32Array(6).fill(-9), 1).view };
    const got = await backend.logitsLoss(
      { tokens: { ...tokens, inputIds }, vocab, logits: halves, reference },
      options,
    );
    const plain = { bf16: toBits("bf16", logits) };
    const want = await backend.logitsLoss(
      { tokens, vocab, logits: plain, reference: { logps: reference.logps.slice() } },
      options,
    );
    expect(missesOfBits(got, want)).toEqual([]);
  });

  // On js `allocate` gives plain arrays.
  describe.skipIf(name === "js").each(Object.entries(types))("%s arrays of `allocate`", (_type, { make, wrap }) => {
    it.each([0, 1, 3])(
      "%d elements in, as logits, reference and gradient: the bits of the caller's own",
      async (at) => {
        for (const shape of [...shapes, wide]) await checkAllocated(backend, shape, at, make, wrap);
      },
    );
  });
});

async function checkAllocated(
  backend: AnyBackend,
  shape: Parameters<typeof randomLogits>[0],
  at: number,
  make: (logits: Float32Array) => Bits,
  wrap: (bits: Bits) => Floats,
): Promise<void> {
  const { tokens, vocab, logits, reference } = layouts.padded(randomLogits(shape)).batch;
  const [own, other] = [make(logits), make(reference.logits)];
  const call = async (policy: Floats, second: Floats, more: LogitsLossOptions = {}) =>
    backend.logitsLoss({ tokens, vocab, logits: policy, reference: { logits: second } }, { ...options, ...more });
  const want = await call(wrap(own), wrap(other));
  const wantWide = await call(wrap(own), wrap(other), { gradType: "f32" });
  const memory = memoryOf(backend);
  const arrays: Guarded<Bits>[] = [];
  const inside = <A extends Bits>(array: A): A => {
    const found = memory.place(array, at);
    arrays.push(found);
    return found.view;
  };
  const gradient = inside(own.slice().fill(1) as Bits);
  const policy = inside(own);
  const isRoomy = vocab < 1000;
  const second = isRoomy ? wrap(inside(other)) : wrap(other);
  expect(missesOfBits(await call(wrap(policy), second), want)).toEqual([]);
  expect(missesOfBits(await call(wrap(own), wrap(other), { out: { gradLogits: wrap(gradient) } }), want)).toEqual([]);
  expect(missesOfBits(await call(wrap(policy), second, { out: { gradLogits: wrap(gradient) } }), want)).toEqual([]);
  // From inside out, and from outside into it, where the types differ.
  expect(missesOfBits(await call(wrap(policy), second, { gradType: "f32" }), wantWide)).toEqual([]);
  const wideGradient = isRoomy ? inside(new Float32Array(own.length)) : new Float32Array(own.length);
  for (const from of [policy, own]) {
    const got = await call(wrap(from), second, { gradType: "f32", out: { gradLogits: wideGradient } });
    expect(missesOfBits(got, wantWide)).toEqual([]);
  }
  expect(sameBytes(bytesOf(policy), bytesOf(own))).toBe(true);
  expect(missesOfBits(await call(wrap(policy), second, { inPlace: true }), want)).toEqual([]);
  expect(arrays.map(({ isIntact }) => isIntact())).toEqual(arrays.map(() => true));
  memory.free();
}
