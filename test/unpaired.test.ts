// Losses of single rows: every one of the table, in every form, on every backend.

import { describe, expect, it } from "vitest";
import { createJs, defineLoss, softplus } from "../src/index.ts";
import type { FloatArray, RowLogps, UnpairedLossOptions } from "../src/types.ts";
import { onEachBackend, onEachWasm } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import {
  bitsOff,
  type FullRows,
  mapRows,
  missesOfRows,
  narrowRows,
  randomRows,
  rowMovements,
  wantOf,
  wideRows,
  withRow,
} from "./support/rows.ts";
import { rowTypes, rowVariants } from "./support/variants.ts";

const js = createJs();
const betaOf = ({ beta = 0.1 }: UnpairedLossOptions): number => beta;
const types = [
  ["float32", narrowRows<FullRows>],
  ["float64", wideRows<FullRows>],
] as const;

/** Some rows of a batch; the mismatched ones stay. */
function rowsAt(rows: FullRows, keep: readonly number[]): FullRows {
  const pick = <A extends FloatArray | Uint8Array>(array: A): A =>
    (array.constructor as never as { from(x: number[]): A }).from(keep.map((i) => array[i] as number));
  return { ...rows, policy: pick(rows.policy), reference: pick(rows.reference), desirable: pick(rows.desirable) };
}

const labelled = (rows: FullRows, label: (i: number) => number): FullRows => ({
  ...rows,
  desirable: rows.desirable.map((_, i) => label(i)),
});

const even = [1, 3, 4].map((size) => randomRows(size, 40 + size));
const shapes: [string, FullRows][] = [
  ...even.map((rows): [string, FullRows] => [`${rows.policy.length} rows`, rows]),
  ["1023 rows", randomRows(1023, 41)],
  ["4099 rows", randomRows(4099, 42, 4)],
  ["rows that are all desirable", labelled(randomRows(9, 43), () => 1)],
  ["rows that are all undesirable", labelled(randomRows(9, 44), () => 0)],
  ["log-probs up to 0", mapRows(randomRows(17, 45), (array) => array.map((x, i) => (i % 3 === 0 ? 0 : x / 200)))],
  [
    "more mismatched rows than rows",
    { ...randomRows(5, 46), klPolicy: randomRows(37, 47, 30).policy, klReference: randomRows(37, 47, 30).reference },
  ],
  ["one mismatched row", { ...randomRows(6, 48), klPolicy: Float32Array.of(-3), klReference: Float32Array.of(-9) }],
];

describe("gradients are the derivatives of the loss", () => {
  const STEP = 2 ** -8;
  const rows = wideRows({
    ...randomRows(7, 11),
    rowWeights: Float64Array.from({ length: 7 }, (_, i) => 0.25 * (i - 2)),
  });
  const density = Float64Array.from({ length: 7 }, (_, i) => 0.5 + i);

  it.each([
    ...rowVariants.flatMap(({ name, options }) => [
      { name, options, inputs: { ...rows, rowWeights: undefined } },
      { name: `${name}, weighted`, options, inputs: rows },
    ]),
    { name: "bco with a density ratio", options: { lossType: "bco" }, inputs: { ...rows, densityRatio: density } },
    { name: "two losses", options: { lossType: ["kto", "bco"], lossWeights: [2, -0.5], gradScale: 1 }, inputs: rows },
  ])("$name", ({ options, inputs }) => {
    const at = (i: number, step: number) =>
      js.unpairedLoss(
        { ...inputs, policy: withRow(inputs, "policy", i, (inputs.policy[i] as number) + step).policy } as RowLogps,
        options,
      ).loss;
    const want = Array.from(
      inputs.policy,
      (_, i) => (8 * (at(i, STEP) - at(i, -STEP)) - (at(i, 2 * STEP) - at(i, -2 * STEP))) / (12 * STEP),
    );
    const { grad } = js.unpairedLoss(inputs as RowLogps, options);
    expect(missesNear("grad", grad, want, 1e-7, 1e-9)).toEqual([]);
  });
});

onEachBackend((backend) => {
  describe.each(types)("%s", (_type, convert) => {
    it.each(shapes)("%s, within the bound", async (_what, rows) => {
      for (const { name, options } of rowVariants) {
        const movements = rowMovements(rows, () => options);
        const got = await backend.unpairedLoss(convert(rows), options);
        expect(missesOfRows(got, wantOf(movements), movements, betaOf(options)), name).toEqual([]);
      }
    });

    it.each(rowVariants)("$name, saturated", async ({ options }) => {
      const beta = betaOf(options);
      for (const z of [0, 0.5, 17, 40, 88, 100, 710, 1e4].flatMap((x) => [x, -x])) {
        for (const label of [0, 1]) {
          const rows = {
            policy: Float32Array.of(z / beta - 64),
            reference: Float32Array.of(-64),
            desirable: Uint8Array.of(label),
            klPolicy: Float32Array.of(-1),
            klReference: Float32Array.of(-2),
          };
          const movements = rowMovements(rows, () => options);
          const got = await backend.unpairedLoss(convert(rows), options);
          expect(missesOfRows(got, wantOf(movements), movements, beta), `z ${z}, label ${label}`).toEqual([]);
        }
      }
    });

    it.each(rowVariants)(
      "$name: a row without a log-ratio is left out, and its gradient is NaN",
      async ({ options }) => {
        const rows = randomRows(9, 61);
        for (const name of ["policy", "reference"] as const) {
          for (const at of [2, 8]) {
            const others = [...rows.policy.keys()].filter((i) => i !== at);
            const want = await backend.unpairedLoss(convert(rowsAt(rows, others)), options);
            const got = await backend.unpairedLoss(convert(withRow(rows, name, at, Number.NaN)), options);
            expect(got.losses[at]).toBeNaN();
            expect(got.grad[at]).toBeNaN();
            expect(missesNear("loss", [got.loss], [want.loss], 1e-6)).toEqual([]);
            expect(
              missesNear(
                "losses",
                others.map((i) => got.losses[i] as number),
                want.losses,
                1e-6,
              ),
            ).toEqual([]);
            expect(
              missesNear(
                "grad",
                others.map((i) => got.grad[i] as number),
                want.grad,
                1e-6,
              ),
            ).toEqual([]);
            expect(Object.keys(got.metrics).sort()).toEqual(Object.keys(want.metrics).sort());
            for (const [key, value] of Object.entries(want.metrics)) {
              expect(missesNear(key, [got.metrics[key] as number], [value], 1e-5)).toEqual([]);
            }
          }
        }
        const none = await backend.unpairedLoss(
          convert(mapRows(rows, (array, name) => (name === "policy" ? array.map(() => Number.NaN) : array))),
          options,
        );
        expect(none.loss).toBeNaN();
        expect(none.grad.every(Number.isNaN)).toBe(true);
      },
    );

    it.each(rowVariants)("$name: a weight of 0 switches a row off, whatever it holds", async ({ options }) => {
      const rowWeights = Float32Array.of(1, 0, 2, -0, 0.5);
      const rows = { ...randomRows(5, 62), rowWeights };
      const clean = await backend.unpairedLoss(convert(rows), options);
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        const got = await backend.unpairedLoss(
          convert(withRow(withRow(rows, "policy", 1, value), "reference", 3, value)),
          options,
        );
        expect(missesNear("losses", got.losses, clean.losses, 0)).toEqual([]);
        expect(missesNear("grad", got.grad, clean.grad, 0)).toEqual([]);
        expect(got.loss).toBe(clean.loss);
      }
      const off = await backend.unpairedLoss(convert(withRow(rows, "policy", 0, Number.NaN)), {
        ...options,
        lossWeights: [0],
      });
      expect([off.loss, ...off.losses, ...off.grad].every((x) => x === 0)).toBe(true);
    });

    it.each(["kto", "apo_zero_unpaired"])(
      "%s at infinite log-ratios is 0 or its weight, without a gradient",
      async (lossType) => {
        const rows = {
          policy: Float64Array.of(Infinity, -Infinity, Infinity, -Infinity),
          reference: Float64Array.of(-1, -1, -1, -1),
          desirable: [true, true, false, false],
          ...{ klPolicy: Float64Array.of(-1), klReference: Float64Array.of(-2) },
        };
        const options = { lossType, desirableWeight: 1.25, undesirableWeight: 0.5 };
        const got = await backend.unpairedLoss(convert(rows as never) as never, options);
        expect(Array.from(got.losses)).toEqual([0, 1.25, 0.5, 0]);
        expect(got.grad.every((x) => x === 0)).toBe(true);
        expect(got.loss).toBe(1.75 / 4);
      },
    );
  });

  it.each(rowTypes.filter((id) => id !== "kto"))("%s needs no mismatched rows", async (lossType) => {
    const { klPolicy, klReference, ...rows } = randomRows(5, 63);
    const got = await backend.unpairedLoss(rows, { lossType });
    expect(bitsOff(got, await backend.unpairedLoss({ ...rows, klPolicy, klReference }, { lossType }))).toEqual([]);
  });

  it("k is the mean of all mismatched rows, clamped at 0, a NaN among them makes everything NaN", async () => {
    const rows = randomRows(4, 64);
    const at = async (...ratios: number[]) => {
      const klReference = new Float32Array(ratios.length);
      return backend.unpairedLoss({ ...rows, klPolicy: Float32Array.from(ratios), klReference });
    };
    expect((await at(3, -2, 5)).metrics["kl"]).toBe(2);
    // The mean is clamped, not each row's.
    expect((await at(-3, 2)).metrics["kl"]).toBe(0);
    expect(bitsOff(await at(-3, 2), await at(0))).toEqual([]);
    const bad = await at(1, Number.NaN);
    expect([bad.loss, ...bad.losses, ...bad.grad].every(Number.isNaN)).toBe(true);
  });

  it("names no loss: KTO", async () => {
    const rows = randomRows(4, 65);
    expect(bitsOff(await backend.unpairedLoss(rows), await backend.unpairedLoss(rows, { lossType: "kto" }))).toEqual(
      [],
    );
  });

  it("takes labels as booleans, lengths of any kind; an empty completion has no gradient", async () => {
    const rows = randomRows(6, 66);
    const want = await backend.unpairedLoss(rows);
    const booleans = Array.from(rows.desirable, (label) => label === 1);
    expect(bitsOff(await backend.unpairedLoss({ ...rows, desirable: booleans }), want)).toEqual([]);
    for (const lengths of [Int32Array.of(3, 0, 1, 2, 5, 0), BigInt64Array.of(3n, 0n, 1n, 2n, 5n, 0n)]) {
      const got = await backend.unpairedLoss({ ...rows, lengths });
      expect(Array.from(got.grad)).toEqual(Array.from(want.grad, (x, i) => (i === 1 || i === 5 ? 0 : x)));
      expect(got.loss).toBe(want.loss);
    }
  });

  it("densityRatio weighs the undesirable rows alone, beside rowWeights", async () => {
    const rows = labelled(randomRows(5, 67), (i) => i % 2);
    const densityRatio = Float32Array.of(2, Number.NaN, 0.5, Number.NaN, 0);
    const rowWeights = Float32Array.of(1, 2, 3, 4, 5);
    const got = await backend.unpairedLoss({ ...rows, densityRatio, rowWeights }, { lossType: "bco" });
    const want = await backend.unpairedLoss(
      { ...rows, rowWeights: Float32Array.of(2, 2, 1.5, 4, 0) },
      { lossType: "bco" },
    );
    expect(bitsOff(got, want)).toEqual([]);
  });

  it("several losses are a weighted sum, gradScale multiplies the gradient, rewards come with full metrics", async () => {
    const rows = randomRows(37, 68);
    const [kto, bco] = [
      await backend.unpairedLoss(rows, { lossType: "kto" }),
      await backend.unpairedLoss(rows, { lossType: "bco" }),
    ];
    const got = await backend.unpairedLoss(rows, {
      lossType: ["kto", "bco"],
      lossWeights: [0.5, 2],
      gradScale: 8,
      metrics: "full",
    });
    expect(missesNear("loss", [got.loss], [0.5 * kto.loss + 2 * bco.loss], 1e-6)).toEqual([]);
    expect(
      missesNear(
        "grad",
        got.grad,
        kto.grad.map((x, i) => 8 * (0.5 * x + 2 * (bco.grad[i] as number))),
        1e-5,
        1e-8,
      ),
    ).toEqual([]);
    expect(got.metrics).toMatchObject({ kl: kto.metrics["kl"], delta: 0 });
    const rewards = Array.from(rows.policy, (p, i) => 0.1 * (p - (rows.reference[i] as number)));
    expect(missesNear("rewards", got.rewards as FloatArray, rewards, 1e-6, 1e-6)).toEqual([]);
    expect("rewards" in kto).toBe(false);
  });

  it("fills out, also over its inputs, and returns it", async () => {
    const rows = randomRows(11, 69);
    const want = await backend.unpairedLoss(rows, { metrics: "full" });
    const out = {
      losses: new Float32Array(11),
      grad: (rows.policy as Float32Array).slice(),
      rewards: new Float32Array(11),
    };
    const got = await backend.unpairedLoss({ ...rows, policy: out.grad }, { out });
    expect(got.grad).toBe(out.grad);
    expect(got.losses).toBe(out.losses);
    expect(bitsOff(got, want)).toEqual([]);
  });

  it("onProgress ends with all rows", async () => {
    const seen: number[][] = [];
    await backend.unpairedLoss(randomRows(5, 70), { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([5, 5]);
  });
});

onEachWasm((backend, name) => {
  it("gives the same bits from allocated memory as from any other", async () => {
    const rows = randomRows(5001, 71);
    for (const { options } of rowVariants) {
      const placed = { ...rows };
      for (const key of ["policy", "reference"] as const) {
        placed[key] = backend.allocate("f32", 5001);
        placed[key].set(rows[key]);
      }
      placed.desirable = backend.allocate("u8", 5001);
      placed.desirable.set(rows.desirable);
      const out = { losses: backend.allocate("f32", 5001), grad: backend.allocate("f32", 5001) };
      expect(
        bitsOff(await backend.unpairedLoss(placed, { ...options, out }), await backend.unpairedLoss(rows, options)),
        name,
      ).toEqual([]);
      for (const array of [placed.policy, placed.reference, placed.desirable, out.losses, out.grad])
        backend.free(array);
    }
  });
});

describe("a loss of rows of the user's own", () => {
  const own = defineLoss({
    id: "own_rows",
    title: "a hinge of rows against the batch's KL",
    params: { beta: { default: 0.5, min: 0, max: 10 }, kl: { default: 0, min: 0, max: 100 } },
    row: (r, desirable, beta, kl) => {
      const z = (desirable > 0 ? 1 : -1) * beta * (r - kl);
      return [softplus(-z), -((desirable > 0 ? beta : -beta) / (1 + Math.exp(z)))];
    },
  });

  it("runs on js, with the KL of the batch, which is no option", () => {
    const rows = { ...randomRows(5, 72), klPolicy: Float32Array.of(-1, -3), klReference: Float32Array.of(-2, -5) };
    const got = js.unpairedLoss(rows, { lossType: own, beta: 0.25 });
    const kl = got.metrics["kl"] as number;
    expect(kl).toBe(1.5);
    const r = Array.from(rows.policy, (p, i) => p - (rows.reference[i] as number));
    const want = r.map((x, i) => softplus(-(rows.desirable[i] ? 1 : -1) * 0.25 * (x - kl)));
    expect(missesNear("losses", got.losses, want, 1e-6)).toEqual([]);
    expect(() => js.unpairedLoss(rows, { lossType: own, kl: 3 } as never)).toThrow(/^kl: not an option/);
  });
});
