// Which rows of logits count and what they predict: the shift by one, prompts, padding, holes, empty sides, and the ways to
// give ids and masks.

import { describe, expect, it } from "vitest";
import type { LogitsLossResult, PackedTokens } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear, missesSame } from "./support/compare.ts";
import { asBigInts, countingRows, layouts, type PlainTokens, randomLogits } from "./support/logits.ts";
import { exactLogp, exactRow } from "./support/logits-exact.ts";
import { randomFrom } from "./support/pairs.ts";

const V = 7;

/** Sequences as masks; each id is its position's number, modulo V. */
function tokensOf(masks: readonly string[]): PlainTokens {
  const completionMask = Uint8Array.from([...masks.join("")], Number);
  const inputIds = Int32Array.from(completionMask, (_, at) => (3 * at + 1) % V);
  return { pairs: masks.length / 2, length: masks[0]?.length ?? 0, inputIds, completionMask };
}

function logitsFor({ pairs, length }: PlainTokens, seed = 1): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length: 2 * pairs * length * V }, () => 6 * random() - 3);
}

const logpAt = (logits: Float32Array, row: number, id: number): number =>
  exactLogp(logits, row * V, id, exactRow(logits, row * V, V));

/** The rows of the gradient that are not all exactly 0. */
function rowsWithGradient({ gradLogits }: LogitsLossResult): number[] {
  const gradient = gradLogits as Float32Array;
  const rows = Array.from({ length: gradient.length / V }, (_, row) => row);
  return rows.filter((row) => gradient.subarray(row * V, (row + 1) * V).some((x) => x !== 0));
}

onEachBackend((backend) => {
  const run = async (tokens: PlainTokens, lossType = "sigmoid") => {
    const logits = logitsFor(tokens);
    return backend.logitsLoss({ tokens, vocab: V, logits, reference: { logits: logitsFor(tokens, 2) } }, { lossType });
  };

  it("position t predicts token t+1: log-probs and gradients stand at t, nothing at prompts, padding and the last", async () => {
    const tokens = tokensOf(["001110", "011000", "000011", "011111"]);
    const logits = logitsFor(tokens);
    const got = await run(tokens);
    const counting = [1, 2, 3, 6, 7, 15, 16, 18, 19, 20, 21, 22];
    expect(rowsWithGradient(got)).toEqual(counting);
    const want = Array.from(got.tokenLogps, (_, row) =>
      counting.includes(row) ? logpAt(logits, row, tokens.inputIds[row + 1] as number) : 0,
    );
    expect(missesNear("tokenLogps", got.tokenLogps, want, 2.5e-7, 2e-6)).toEqual([]);
    const sum = (from: number): number => want.slice(from, from + 6).reduce((total, logp) => total + logp, 0);
    expect(missesNear("logps", got.logps, [sum(0), sum(6), sum(12), sum(18)], 2.5e-7, 5e-6)).toEqual([]);
    const { tokenLogps, logsumexp } = await backend.sequenceLogps({ tokens, vocab: V, logits });
    expect(missesSame("tokenLogps", tokenLogps, got.tokenLogps)).toEqual([]);
    expect([...logsumexp.keys()].filter((row) => logsumexp[row] !== 0)).toEqual(counting);
  });

  it("holes in the mask do not count, and what follows them does", async () => {
    expect(rowsWithGradient(await run(tokensOf(["0101101", "0010001"])))).toEqual([0, 2, 3, 5, 8, 12]);
  });

  it("with an empty prompt the first token is not predicted, but divides the losses that divide", async () => {
    const tokens = tokensOf(["1110", "0111"]);
    const got = await run(tokens, "ipo");
    expect(rowsWithGradient(got)).toEqual([0, 1, 4, 5, 6]);
    // The same rows behind a prompt have 2 and 3 tokens to divide by; here they are 3 and 3.
    const [chosen, rejected] = got.logps as Float64Array;
    const reference = await run({ ...tokens, completionMask: tokensOf(["0110", "0111"]).completionMask }, "ipo");
    expect(missesSame("logps", got.logps, reference.logps)).toEqual([]);
    const other = (await backend.sequenceLogps({ tokens, vocab: V, logits: logitsFor(tokens, 2) })).logps;
    const ratio = (n: number): number =>
      ((chosen as number) - (other[0] as number)) / n - ((rejected as number) - (other[1] as number)) / 3;
    expect(missesNear("3 tokens", [got.loss], [(ratio(3) - 5) ** 2], 1e-5)).toEqual([]);
    expect(missesNear("2 tokens", [reference.loss], [(ratio(2) - 5) ** 2], 1e-5)).toEqual([]);
  });

  it("packed, the unshifted lengths are the ones given, and the row's tokens without them", async () => {
    const padded = randomLogits({ pairs: 1, length: 6, vocab: V, seed: 3 });
    padded.tokens.completionMask.set([1, 1, 1, 1, 0, 0], 0);
    const { batch } = layouts.packed(padded);
    const { lengths, ...short } = batch.tokens;
    expect(lengths[0]).toBe(4);
    const call = async (given: PackedTokens) => backend.logitsLoss({ ...batch, tokens: given }, { lossType: "ipo" });
    expect((await call({ ...short, lengths })).loss).toBe((await backend.logitsLoss(padded, { lossType: "ipo" })).loss);
    const own = [3, lengths[1] as number];
    expect((await call(short)).loss).toBe((await call({ ...short, lengths: Int32Array.from(own) })).loss);
    expect((await call(short)).loss).not.toBe((await call({ ...short, lengths })).loss);
    expect((await call({ ...short, lengths: asBigInts(lengths) })).loss).toBe((await call({ ...short, lengths })).loss);
  });

  describe("an empty completion", () => {
    it.each(["sigmoid", "ipo", "sigmoid_norm", "apo_zero", "sppo_hard"])(
      "has log-prob and gradient 0 (%s)",
      async (lossType) => {
        const got = await run(tokensOf(["0000", "0011", "0111", "0000"]), lossType);
        expect([got.logps[0], got.gradChosen[0]]).toEqual([0, 0]);
        expect([got.logps[3], got.gradRejected[1]]).toEqual([0, 0]);
        expect(rowsWithGradient(got)).toEqual([5, 6, 8, 9, 10]);
        expect(Number.isFinite(got.loss)).toBe(true);
      },
    );

    it("on all sides: log-ratios 0, metrics 0, no gradient", async () => {
      const tokens = tokensOf(["000", "000", "000", "000"]);
      const logits = logitsFor(tokens);
      const got = await backend.logitsLoss({ tokens, vocab: V, logits, reference: { logits } }, { metrics: "full" });
      expect(got.loss).toBeCloseTo(Math.LN2, 6);
      expect(rowsWithGradient(got)).toEqual([]);
      const names = ["entropy", "mean_token_accuracy", "logits/chosen", "logits/rejected", "logps/chosen"];
      expect(names.map((name) => got.metrics[name])).toEqual([0, 0, 0, 0, 0]);
    });

    it("on all sides, packed: there are no logits at all", async () => {
      const tokens = { pairs: 2, offsets: new Int32Array(5), targets: new Int32Array() };
      const reference = { logps: new Float64Array(4) };
      const got = await backend.logitsLoss({ tokens, vocab: V, logits: new Float32Array(), reference });
      expect(got.loss).toBeCloseTo(Math.LN2, 6);
      expect([got.tokenLogps.length, got.logsumexp.length, (got.gradLogits as Float32Array).length]).toEqual([0, 0, 0]);
    });

    it("of all chosen: sft has no token to average, NaN as in TRL, and no gradient", async () => {
      const got = await run(tokensOf(["000", "011"]), "sft");
      expect(got.loss).toBeNaN();
      expect(rowsWithGradient(got)).toEqual([]);
    });
  });

  it("a width of one token predicts nothing", async () => {
    const got = await run(tokensOf(["1", "0"]));
    expect([got.logps[0], got.logps[1], got.tokenLogps.length, got.gradChosen.length]).toEqual([0, 0, 2, 1]);
    expect(got.loss).toBeCloseTo(Math.LN2, 6);
    expect(rowsWithGradient(got)).toEqual([]);
  });

  describe("ids and masks", () => {
    const padded = randomLogits({ pairs: 3, length: 8, vocab: V, seed: 4, holes: 0.3 });
    const { tokens } = padded;
    const predicted = new Set(countingRows(tokens).map(({ row }) => row + 1));

    it.each([-100, 2 ** 31 - 1, -(2 ** 31)])(
      "what is not predicted may be %d, in the first place under mask 1 too",
      async (id) => {
        expect(predicted.size).toBeLessThan(tokens.inputIds.length);
        const inputIds = tokens.inputIds.map((own, at) => (predicted.has(at) ? own : id));
        const call = await backend.logitsLoss({ ...padded, tokens: { ...tokens, inputIds } }, { metrics: "full" });
        expect(call).toEqual(await backend.logitsLoss(padded, { metrics: "full" }));
      },
    );

    it.each([
      ["BigInt64Array ids", { inputIds: asBigInts(tokens.inputIds) }],
      ["a BigInt64Array mask", { completionMask: asBigInts(tokens.completionMask) }],
      ["an Int32Array mask", { completionMask: Int32Array.from(tokens.completionMask) }],
    ])("%s: the same bits", async (_name, replaced) => {
      const got = await backend.logitsLoss({ ...padded, tokens: { ...tokens, ...replaced } }, { metrics: "full" });
      expect(got).toEqual(await backend.logitsLoss(padded, { metrics: "full" }));
    });

    it("BigInt64Array ids under mask 0 may be any 64-bit integer", async () => {
      const inputIds = asBigInts(tokens.inputIds).map((own, at) => (predicted.has(at) ? own : -(2n ** 63n)));
      expect(await backend.logitsLoss({ ...padded, tokens: { ...tokens, inputIds } })).toEqual(
        await backend.logitsLoss(padded),
      );
    });

    it("packed offsets and targets as BigInt64Array: the same bits", async () => {
      const { batch } = layouts.packed(padded);
      const { pairs, offsets, targets, lengths } = batch.tokens;
      const big = { pairs, offsets: asBigInts(offsets), targets: asBigInts(targets), lengths: asBigInts(lengths) };
      expect(await backend.logitsLoss({ ...batch, tokens: big })).toEqual(await backend.logitsLoss(batch));
    });
  });

  it.each([1, 2, 5])("padded and packed give the same bits (%d pairs)", async (pairs) => {
    const padded = randomLogits({ pairs, length: 9, vocab: 45, seed: 90 + pairs, holes: 0.2 });
    const { batch, unpack } = layouts.packed(padded);
    const options = { lossType: ["ipo", "sft"], ldAlpha: 0.5, metrics: "full" } as const;
    const [got, want] = [await backend.logitsLoss(batch, options), await backend.logitsLoss(padded, options)];
    expect([got.loss, got.metrics, got.logps, got.gradChosen]).toEqual([
      want.loss,
      want.metrics,
      want.logps,
      want.gradChosen,
    ]);
    const wide = (values: ArrayLike<number>, width: number) => Array.from(unpack(values, width));
    expect(wide(got.tokenLogps, 1)).toEqual(Array.from(want.tokenLogps));
    expect(wide(got.logsumexp, 1)).toEqual(Array.from(want.logsumexp));
    const gradient = want.gradLogits as Float32Array;
    expect(missesSame("gradLogits", wide(got.gradLogits as Float32Array, 45), gradient)).toEqual([]);
  });
});
