// `out` and `inPlace` of the calls that see logits: buffers filled and returned, results over inputs, nothing beside them.

import { beforeAll, describe, expect, it } from "vitest";
import type { Floats, LogitsLossOptions, LogitsLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesSame } from "./support/compare.ts";
import { bytesOf, type Guarded, guarded, sameBytes, type Typed } from "./support/guards.ts";
import { toBits } from "./support/half.ts";
import { layoutNames, layouts, randomLogits } from "./support/logits.ts";
import { arrayNames, missesOfBits } from "./support/logits-results.ts";

const padded = randomLogits({ pairs: 3, length: 7, vocab: 45, seed: 111, holes: 0.2 });
const options: LogitsLossOptions = { lossType: ["ipo", "sft"], ldAlpha: 0.5, metrics: "full" };

/** Buffers for everything, full of what must not be left. */
function buffersFor(positions: number, size: number, make: <A extends Typed>(array: A) => A) {
  return {
    losses: make(new Float32Array(3).fill(7)),
    gradChosen: make(new Float32Array(3).fill(7)),
    gradRejected: make(new Float32Array(3).fill(7)),
    chosenRewards: make(new Float32Array(3).fill(7)),
    rejectedRewards: make(new Float32Array(3).fill(7)),
    logps: make(new Float64Array(6).fill(7)),
    tokenLogps: make(new Float32Array(positions).fill(7)),
    logsumexp: make(new Float64Array(positions).fill(7)),
    gradLogits: make(new Float32Array(size).fill(Number.NaN)),
  };
}

const pairNames = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"] as const;

async function resultOf<T>(call: () => Promise<T>): Promise<{ result: T } | { error: unknown }> {
  try {
    return { result: await call() };
  } catch (error) {
    return { error };
  }
}

onEachBackend((backend) => {
  describe.each(layoutNames)("%s", (layout) => {
    const { batch } = layouts[layout](padded);
    const { logits, vocab } = batch;
    const positions = logits.length / vocab;
    let want: LogitsLossResult;
    beforeAll(async () => {
      want = await backend.logitsLoss(batch, options);
    });

    it("`out` is filled and returned, and nothing beside it is written", async () => {
      const guards: Guarded<Typed>[] = [];
      const out = buffersFor(positions, logits.length, (array) => {
        const found = guarded(array, 1, guards.length % 2 ? ArrayBuffer : SharedArrayBuffer);
        guards.push(found);
        return found.view;
      });
      const got = await backend.logitsLoss(batch, { ...options, out });
      for (const [name, buffer] of Object.entries(out)) expect(got[name as keyof typeof got]).toBe(buffer);
      expect(missesOfBits(got, want)).toEqual([]);
      expect(guards.map(({ isIntact }) => isIntact())).toEqual(Array(9).fill(true));
    });

    it.each([...arrayNames, "gradLogits"] as const)("`out` may hold %s alone: the rest is new", async (name) => {
      const buffer = buffersFor(positions, logits.length, (array) => array)[name];
      const got = await backend.logitsLoss(batch, { ...options, out: { [name]: buffer } });
      expect(got[name]).toBe(buffer);
      expect(missesOfBits(got, want)).toEqual([]);
    });

    it("token results may be asked for in float32 or float64", async () => {
      const out = { tokenLogps: new Float64Array(positions), logsumexp: new Float32Array(positions) };
      const got = await backend.logitsLoss(batch, { ...options, out });
      expect(missesSame("tokenLogps", Float32Array.from(got.tokenLogps), want.tokenLogps)).toEqual([]);
      expect(missesSame("logsumexp", got.logsumexp, Float32Array.from(want.logsumexp))).toEqual([]);
    });

    it("sequenceLogps fills and returns its `out`", async () => {
      const plain = await backend.sequenceLogps(batch, { ldAlpha: 0.5 });
      const { logps, tokenLogps, logsumexp } = buffersFor(positions, 0, (array) => array);
      const got = await backend.sequenceLogps(batch, { ldAlpha: 0.5, out: { logps, tokenLogps, logsumexp } });
      expect(
        [got.logps, got.tokenLogps, got.logsumexp].map((array, k) => array === [logps, tokenLogps, logsumexp][k]),
      ).toEqual([true, true, true]);
      expect(got).toEqual(plain);
    });

    it("results of the next call without `out` are arrays of their own", async () => {
      const first = await backend.logitsLoss(batch, options);
      const kept = (first.gradLogits as Float32Array).slice();
      const second = await backend.logitsLoss(batch, { ...options, gradScale: 3 });
      expect(second.gradLogits).not.toBe(first.gradLogits);
      expect(missesSame("gradLogits", first.gradLogits as Float32Array, kept)).toEqual([]);
    });

    it.each([0, 1, 3])("inPlace writes the same bits over the logits, %d elements into their buffer", async (at) => {
      const { view, isIntact } = guarded(logits, at);
      const got = await backend.logitsLoss({ ...batch, logits: view }, { ...options, inPlace: true });
      expect(got.gradLogits).toBe(view);
      expect(missesOfBits(got, want)).toEqual([]);
      expect(isIntact()).toBe(true);
    });

    it("out.gradLogits may be the logits themselves, and so may another view of them", async () => {
      for (const view of [(x: Float32Array) => x, (x: Float32Array) => x.subarray()]) {
        const own = logits.slice();
        const out = { gradLogits: view(own) };
        const got = await backend.logitsLoss({ ...batch, logits: own }, { ...options, out });
        expect(got.gradLogits).toBe(out.gradLogits);
        expect(missesOfBits(got, want)).toEqual([]);
      }
    });

    it("out.gradLogits may be the reference's logits", async () => {
      const reference = { logits: batch.reference.logits.slice() };
      const out = { gradLogits: reference.logits };
      expect(missesOfBits(await backend.logitsLoss({ ...batch, reference }, { ...options, out }), want)).toEqual([]);
    });

    it("policy and reference may be the same array, in place too", async () => {
      const plain = await backend.logitsLoss({ ...batch, reference: { logits: logits.slice() } }, options);
      const own = logits.slice();
      const call = { ...batch, logits: own, reference: { logits: own } };
      expect(missesOfBits(await backend.logitsLoss(call, options), plain)).toEqual([]);
      expect(missesOfBits(await backend.logitsLoss(call, { ...options, inPlace: true }), plain)).toEqual([]);
    });
  });

  describe("a result over the reference's log-probs, the very array,", () => {
    // One token each: as many positions as sequences.
    const tokens = { pairs: 2, offsets: Int32Array.of(0, 1, 2, 3, 4), targets: Int32Array.of(1, 2, 3, 4) };
    const logits = Float32Array.from({ length: 20 }, (_, i) => Math.sin(i * i));
    const call = async (logps: Float32Array | Float64Array, out: object) =>
      backend.logitsLoss({ tokens, vocab: 5, logits, reference: { logps } }, { ...options, out });

    it.each([
      ["logps", Float64Array],
      ["tokenLogps", Float32Array],
      ["tokenLogps", Float64Array],
      ["logsumexp", Float64Array],
    ] as const)("%s of a %o: the loss is that of the reference as it was", async (name, ArrayType) => {
      const reference = ArrayType.of(-2, -1, -1.5, -3);
      const got = await call(reference, { [name]: reference });
      expect(got[name]).toBe(reference);
      expect(missesOfBits(got, await call(ArrayType.of(-2, -1, -1.5, -3), { [name]: new ArrayType(4) }))).toEqual([]);
    });
  });

  describe("a result over logits whose number happens to fit", () => {
    // Two tokens among four pairs: as many logits as pairs. And a vocabulary of one: as many as positions.
    const few = { pairs: 4, offsets: Int32Array.of(0, 1, 1, 1, 1, 2, 2, 2, 2), targets: Int32Array.of(1, 0) };
    const one = { pairs: 1, offsets: Int32Array.of(0, 2, 4), targets: new Int32Array(4) };
    const cases = [
      ...pairNames.map((name) => [name, { tokens: few, vocab: 2 }] as const),
      ...(["tokenLogps", "logsumexp"] as const).map((name) => [name, { tokens: one, vocab: 1 }] as const),
    ].flatMap(([name, batch]) => (["logits", "reference.logits"] as const).map((over) => [name, over, batch] as const));

    it.each(cases)("%s over %s: right or refused", async (name, over, batch) => {
      const make = () => [Float32Array.of(1, 2, 3, -1), Float32Array.of(2, 0, -1, 1)] as const;
      const call = async (out: (logits: Float32Array, reference: Float32Array) => object) => {
        const [logits, reference] = make();
        const more = { ...options, out: out(logits, reference) };
        return backend.logitsLoss({ ...batch, logits, reference: { logits: reference } }, more);
      };
      const want = await call(() => ({ [name]: new Float32Array(4) }));
      const overOne = (logits: Float32Array, second: Float32Array) => ({ [name]: over === "logits" ? logits : second });
      const got = await resultOf(() => call(overOne));
      if ("error" in got) expect(got.error).toMatchObject({ name: "ShapeError", code: "overlap" });
      else expect(missesOfBits(got.result, want)).toEqual([]);
    });
  });

  it.each([
    ["{ f16 }", (bits: Uint16Array): Floats => ({ f16: bits })],
    ["{ bf16 }", (bits: Uint16Array): Floats => ({ bf16: bits })],
    [
      "Float16Array",
      ({ buffer, byteOffset, length }: Uint16Array): Floats => new Float16Array(buffer, byteOffset, length),
    ],
  ])("%s gradients go into `out`, over the logits and beside nothing", async (name, wrap) => {
    const bits = toBits(name === "{ bf16 }" ? "bf16" : "f16", padded.logits);
    const call = async (logits: Floats, more: LogitsLossOptions) =>
      backend.logitsLoss({ ...padded, logits }, { ...options, ...more });
    const want = await call(wrap(bits), {});
    const { view, isIntact } = guarded(new Uint16Array(bits.length).fill(0x7fff), 3);
    const out = { gradLogits: wrap(view) };
    const got = await call(wrap(bits), { out });
    expect(got.gradLogits).toBe(out.gradLogits);
    expect(missesOfBits(got, want)).toEqual([]);
    const own = guarded(bits, 5);
    expect(missesOfBits(await call(wrap(own.view), { out: { gradLogits: wrap(own.view) } }), want)).toEqual([]);
    expect(sameBytes(bytesOf(own.view), bytesOf(view))).toBe(true);
    expect([isIntact(), own.isIntact()]).toEqual([true, true]);
  });
});
