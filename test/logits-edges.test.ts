// What every backend gives at the edges, by one rule each (docs/numerics.md, "At the edges"): rows without a softmax, slopes that
// are infinite or no number, rows of one logit, gradients that a half type has no room for.

import { describe, expect, it } from "vitest";
import type { Floats, LinearBatch, LogitsLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesSame } from "./support/compare.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { batchOfRows, type GivenRow, rowOf } from "./support/logits-rows.ts";

const { NaN: nan } = Number;
const zeros = { logps: new Float64Array(2) };
const usual: GivenRow = { logits: [0.5, 2, -1, 1], id: 1 };
const types: Record<string, (logits: Float32Array) => Floats> = {
  float32: (logits) => logits,
  float16: (logits) => ({ f16: toBits("f16", logits) }),
  bfloat16: (logits) => ({ bf16: toBits("bf16", logits) }),
};

/** A head whose logits are the rows of its weight. */
function headOf(row: GivenRow, more: Partial<LinearBatch> = {}): LinearBatch {
  const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 1), targets: Int32Array.of(row.id) };
  const weight = Float32Array.from(row.logits);
  return { tokens, vocab: weight.length, hiddenSize: 1, hidden: Float32Array.of(1), weight, ...more };
}

onEachBackend((backend, name) => {
  const read = async (chosen: GivenRow, convert = types["float32"]) => {
    const batch = batchOfRows([{ chosen: [chosen], rejected: [] }]);
    const logits = (convert as (logits: Float32Array) => Floats)(batch.logits);
    return backend.sequenceLogps({ ...batch, logits }, { metrics: "full" });
  };

  describe("rows without a softmax", () => {
    // [what, logits, logsumexp]
    const rows: [string, number[], number][] = [
      ["−∞ alone", [-Infinity, -Infinity, -Infinity, -Infinity], -Infinity],
      ["one −∞", [-Infinity], -Infinity],
      ["many −∞", Array(40_009).fill(-Infinity), -Infinity],
      ["+∞", [1, Infinity, 2, 0], nan],
      ["+∞ and −∞", [-Infinity, Infinity, 2, 0], nan],
      ["+∞ twice", [Infinity, Infinity, 2, 0], nan],
      ["a NaN", [1, nan, 2, 0], nan],
      ["a NaN beside the greatest", [3, nan, 2, 0], nan],
      ["a NaN and +∞", [Infinity, nan, 2, 0], nan],
      ["a NaN among −∞", [-Infinity, nan, -Infinity, -Infinity], nan],
      ["NaN alone", [nan, nan], nan],
    ];
    const small = rows.filter(([, logits]) => name !== "webgpu" || logits.length < 100);

    describe.each(Object.entries(types))("%s", (_type, convert) => {
      it.each(small)("%s: logsumexp, log-prob and accuracy of any label", async (_what, logits, logsumexp) => {
        for (const id of new Set([0, 1 % logits.length, logits.length - 1])) {
          const got = await read({ logits, id }, convert);
          expect([got.logsumexp[0], got.tokenLogps[0], got.logps[0]]).toEqual([logsumexp, nan, nan]);
          expect(got.metrics["mean_token_accuracy"]).toBe(0);
          expect(got.metrics["entropy"]).toBeNaN();
        }
      });
    });

    it.each(small)("%s: a gradient of NaN throughout", async (_what, logits) => {
      const batch = batchOfRows([{ chosen: [{ logits, id: 0 }], rejected: [{ logits: logits.map(() => 0), id: 0 }] }]);
      const slopes = async (options: LogitsLossOptions) => {
        const { gradLogits } = await backend.logitsLoss({ ...batch, reference: zeros }, options);
        return rowOf(gradLogits as Float32Array, 0, logits.length);
      };
      expect(missesSame("NaN", await slopes({}), Array(logits.length).fill(nan))).toEqual([]);
    });

    it.each(small)("%s: the same through a head", async (_what, logits) => {
      const call = headOf({ logits, id: 0 });
      const got = await backend.linearLoss({ ...call, reference: zeros }, { metrics: "full" });
      const want = await read({ logits, id: 0 });
      expect([got.logsumexp[0], got.tokenLogps[0]]).toEqual([want.logsumexp[0], nan]);
      expect(got.metrics["mean_token_accuracy"]).toBe(0);
    });

    it("count as misses beside rows that have one", async () => {
      const batch = batchOfRows([{ chosen: [usual, { logits: [nan, 3, 0, 0], id: 1 }, usual, usual], rejected: [] }]);
      expect((await backend.sequenceLogps(batch)).metrics["mean_token_accuracy"]).toBe(0.75);
    });
  });

  // A log-prob of −∞ has a slope of −∞ under sppo_hard; the token before it has it too. WGSL may take infinities for other numbers
  // on the way to the slope; what it makes of an infinite one goes by bits.
  describe("an infinite slope", () => {
    const masked: GivenRow = { logits: [0, 1, -Infinity, 0.5], id: 2 };
    /** The gradient of `row`'s logits where a token of its sequence, masked, has a slope of −∞. */
    const slopesOf = async (row: GivenRow, convert = types["float32"]) => {
      const pad = (values: ArrayLike<number>) =>
        Array.from({ length: Math.max(4, row.logits.length) }, (_, v) => values[v] ?? -Infinity);
      const chosen = [row, masked].map(({ logits, id }) => ({ logits: pad(logits), id }));
      const batch = batchOfRows([{ chosen, rejected: [] }]);
      const logits = (convert as (logits: Float32Array) => Floats)(batch.logits);
      const got = await backend.logitsLoss({ ...batch, logits, reference: zeros }, { lossType: "sppo_hard" });
      expect(got.gradChosen[0]).toBe(-Infinity);
      return rowOf(numbersOf(got.gradLogits), 0, batch.vocab);
    };
    const far = Array.from({ length: 40 }, (_, v) => -25 * v);

    it.each(Object.entries(types))(
      "%s: −∞ at the label, +∞ at every logit, 0 at those of −∞",
      async (_type, convert) => {
        const row = { logits: [1, -Infinity, 2, -300, -50, -Infinity], id: 3 };
        const want = [Infinity, 0, Infinity, -Infinity, Infinity, 0];
        expect(missesSame("slopes", await slopesOf(row, convert), want)).toEqual([]);
        const ofFar = Array.from(far, (_, v) => (v === 2 ? -Infinity : Infinity));
        expect(missesSame("slopes", await slopesOf({ logits: far, id: 2 }, convert), ofFar)).toEqual([]);
      },
    );

    it.each(Object.entries(types))("%s: 0 at a label that has all of the probability", async (_type, convert) => {
      const alone = { logits: [-Infinity, 2, -Infinity, -Infinity], id: 1 };
      expect(missesSame("slopes", await slopesOf(alone, convert), [0, 0, 0, 0])).toEqual([]);
      const sure = { logits: [-100, 2, -100, -Infinity], id: 1 };
      expect(missesSame("slopes", await slopesOf(sure, convert), [Infinity, 0, Infinity, 0])).toEqual([]);
    });

    it("goes through a head: −∞ and +∞ to weight and bias, NaN where they meet or meet 0", async () => {
      const bias = Float32Array.of(0, 1, -Infinity, 0.5, -Infinity);
      const row = { logits: new Float32Array(5), id: 2 };
      const got = await backend.linearLoss({ ...headOf(row, { bias }), reference: zeros }, { lossType: "sppo_hard" });
      const want = [Infinity, Infinity, -Infinity, Infinity, 0];
      expect(missesSame("gradBias", numbersOf(got.gradBias as Floats), want)).toEqual([]);
      expect(missesSame("gradWeight", numbersOf(got.gradWeight as Floats), want)).toEqual([]);
      expect(missesSame("gradHidden", numbersOf(got.gradHidden as Floats), [nan])).toEqual([]);
    });
  });

  describe("gradScale", () => {
    const run = async (gradScale: number, rows: readonly GivenRow[] = [usual], convert = types["float32"]) => {
      const batch = batchOfRows([{ chosen: rows, rejected: [] }]);
      const logits = (convert as (logits: Float32Array) => Floats)(batch.logits);
      const options: LogitsLossOptions = { lossType: "sft", gradScale };
      return numbersOf((await backend.logitsLoss({ ...batch, logits }, options)).gradLogits);
    };

    it("beyond float32 is infinite", async () => {
      expect(missesSame("slopes", await run(1e300), [Infinity, -Infinity, Infinity, Infinity])).toEqual([]);
      expect(missesSame("slopes", await run(-1e300), [-Infinity, Infinity, -Infinity, -Infinity])).toEqual([]);
    });

    it("near the end of float32: finite entries are right, and no 0·∞", async () => {
      const row = { logits: [0, -200, -Infinity, 0], id: 0 };
      const got = await run(3e38, [row]);
      expect(
        missesSame(
          "slopes",
          got.map((x) => Math.round(x / 1e34)),
          [-15000, 0, 0, 15000],
        ),
      ).toEqual([]);
    });

    it("beyond a half type's range: infinities of the entry's sign, others rounded", async () => {
      for (const [type, scale] of [
        ["float16", 4e5],
        ["bfloat16", 3.39e38],
      ] as const) {
        const got = await run(scale, [{ logits: [0, 0, -Infinity, -9], id: 0 }], types[type]);
        const wide = await run(scale, [{ logits: [0, 0, -Infinity, -9], id: 0 }]);
        expect([Math.sign(got[0] as number), Math.sign(got[1] as number), got[2]]).toEqual([-1, 1, 0]);
        if (type === "float16") expect(got.slice(0, 2)).toEqual(Float32Array.of(-Infinity, Infinity));
        expect(Math.abs((got[3] as number) / (wide[3] as number) - 1)).toBeLessThan(2 ** -8);
      }
    });

    it("0 gives zeros", async () => {
      expect(missesSame("slopes", await run(0), new Float32Array(4))).toEqual([]);
    });
  });

  it("a token without a gradient has zeros, beside infinite logits and NaN too", async () => {
    for (const logits of [[1, Infinity, 0, 2], [nan, 1, 0, 2], Array(4).fill(-Infinity), [-Infinity, 1, 2, 0]]) {
      // The tail that ldAlpha 0 drops.
      const batch = batchOfRows([{ chosen: [usual, { logits, id: 0 }], rejected: [usual] }]);
      const { gradLogits } = await backend.logitsLoss({ ...batch, reference: zeros }, { ldAlpha: 0 });
      expect(rowOf(gradLogits as Float32Array, 1, 4).map((x) => x === 0)).toEqual([true, true, true, true]);
    }
  });

  it.each(Object.entries(types))(
    "%s: a vocabulary of one has log-prob 0, entropy 0 and gradient 0",
    async (_type, convert) => {
      const batch = batchOfRows([{ chosen: [{ logits: [-7.5], id: 0 }], rejected: [{ logits: [60000], id: 0 }] }]);
      const call = { ...batch, logits: convert(batch.logits), reference: { logps: Float64Array.of(-1, 2) } };
      for (const gradScale of [1, 1e30, 1e300]) {
        const got = await backend.logitsLoss(call, { metrics: "full", gradScale });
        expect([...got.tokenLogps, got.metrics["entropy"], got.metrics["mean_token_accuracy"]]).toEqual([0, 0, 0, 1]);
        const slopes = Array.from(numbersOf(got.gradLogits), (x) => (Math.abs(x) <= 2e-7 * gradScale ? 0 : x));
        expect(slopes).toEqual([0, 0]);
      }
    },
  );

  it("mean logits of float32's largest are themselves", async () => {
    const most = Math.fround(3.4e38);
    const { metrics } = await read({ logits: Array(1000).fill(most), id: 3 });
    // The GPU adds in float32.
    if (name !== "webgpu") expect(metrics["logits/chosen"]).toBeCloseTo(most, -33);
    expect(metrics["entropy"]).toBeCloseTo(Math.log(1000), 4);
  });

  it("logits of −∞ make mean logits −∞, and leave entropy and log-probs alone", async () => {
    const got = await read({ logits: [0, -Infinity, 0, -Infinity], id: 0 });
    expect([got.metrics["logits/chosen"], got.metrics["mean_token_accuracy"]]).toEqual([-Infinity, 1]);
    expect(got.metrics["entropy"]).toBeCloseTo(Math.LN2, 6);
    expect(got.tokenLogps[0]).toBeCloseTo(-Math.LN2, 6);
  });

  it("a label of −∞ is a miss with a log-prob of −∞", async () => {
    const got = await read({ logits: [0, -Infinity, 0, 1], id: 1 });
    expect([got.tokenLogps[0], got.metrics["mean_token_accuracy"]]).toEqual([-Infinity, 0]);
  });

  it("denormal logits are as good as 0", async () => {
    const got = await read({ logits: [2 ** -149, -(2 ** -140), 0, -0], id: 0 });
    expect(got.tokenLogps[0]).toBeCloseTo(-Math.log(4), 6);
    expect(got.metrics["entropy"]).toBeCloseTo(Math.log(4), 6);
  });
});
