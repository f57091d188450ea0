// The losses that no f-divergence reaches, and those of rows, at the edges of what they take: batches of one and of 1023, log-probs
// up to 0, −0 and the least numbers, every shape of AlphaPO's rewards, empty completions, one-sided batches, NaN. Entry by entry:
// none is excused by a larger one beside it.

import { afterAll, describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import type { FloatArray, PairLogps, PairLossOptions } from "../src/types.ts";
import { wasm } from "./pool/support/pools.ts";
import { onEachBackend } from "./support/backends.ts";
import { exactly, type Movements } from "./support/bound.ts";
import { excessOver, misses, missesBits, missesNear, vectorNames } from "./support/compare.ts";
import {
  type FullPairs,
  lengthNames,
  logpNames,
  mapPairs,
  narrow,
  pairsOf,
  part,
  randomPairs,
  wide,
} from "./support/pairs.ts";
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
} from "./support/rows.ts";
import { shared } from "./support/shared-arrays.ts";
import { plainVariants, rowVariants, tunedVariants } from "./support/variants.ts";

const js = createJs();
const COUNT = 1023;
const alphas = [-0.6, -0.25, -1e-6, -1e-40, 1e-300, 1e-20, 1e-8, 0.25, 1, 2];
const floatTypes = [
  ["float32", narrow],
  ["float64", wide],
] as const;

const forms = [
  ...[...plainVariants, ...tunedVariants].filter(({ loss }) => !loss.scored && loss.batch === undefined),
  ...plainVariants.flatMap(({ name, loss, options }) =>
    ("alphapoAlpha" in loss.params ? alphas : []).map((alphapoAlpha) => ({
      name: `${name}, alphapoAlpha ${alphapoAlpha}`,
      options: { ...options, alphapoAlpha },
    })),
  ),
];

const least = [0, -0, -1e-36, -1e-30, -1e-20, -1e-8, -6e-8, -1e-3, -0.1, -Math.LN2, -0.7, -2, -9, -30, -90];
const upTo0 = (array: FloatArray, stride: number): FloatArray =>
  array.map((_, i) => least[Math.floor(i / stride) % least.length] as number);
const strides: Record<string, number> = {
  policyChosen: 1,
  policyRejected: 15,
  referenceChosen: 7,
  referenceRejected: 4,
};

const random = randomPairs(COUNT, 81);
/** Every two of the least as those of a pair. */
const edges = mapPairs(random, (array, name) => {
  const stride = strides[name];
  return stride ? upTo0(array as FloatArray, stride) : array;
}) as FullPairs;
/** As means of tokens are. */
const means = mapPairs(random, (array, name) => (name in strides ? array.map((x) => x / 40) : array)) as FullPairs;
const withEmpty = mapPairs(means, (array, name) =>
  lengthNames.includes(name as never) ? array.map((n, i) => (i % 3 === name.length % 3 ? 0 : n)) : array,
);
const pairBatches: [string, PairLogps][] = [
  ["one pair", part(means, 5, 6)],
  ["1023 pairs", random],
  ["1023 pairs of a few nats", means],
  ["log-probs up to 0", edges],
  ["equal log-probs", { ...random, policyRejected: random.policyChosen, rejectedLengths: random.chosenLengths }],
  [
    "equal log-probs far down",
    mapPairs(random, (array, name) => (name.startsWith("policy") ? array.map((_, i) => -i) : array)),
  ],
  ["empty completions", withEmpty],
];

const FLOAT32_MAX = 3.4028234663852886e38;

/** Entries that miss the bound of docs/numerics.md with m their own size; a loss that float32 cannot hold leaves its pair open. */
function missesOfPairs(got: Movements["base"], { base, moved }: Movements, beta: number): string[] {
  return vectorNames.flatMap((name) =>
    misses(name, got[name], base[name], (g, w, i) => {
      if (!(Math.abs(base.losses[i] as number) <= FLOAT32_MAX / 16) && !Number.isNaN(w)) return 0;
      if (Math.abs(w) > FLOAT32_MAX / 16) return 0;
      const moves = moved.map((other) => Math.abs((other[name][i] as number) - w)).filter((x) => x < Infinity);
      return excessOver(1e-5 * Math.abs(w) + 6 * Math.max(0, ...moves) + 2e-7 * beta, g, w);
    }),
  );
}

describe("gradients are the derivatives of the loss", () => {
  const STEP = 2 ** -11;
  const few = wide(part(means, 0, 7));

  it.each(forms)("$name", ({ options }) => {
    const got = js.pairLoss(few, options);
    for (const [name, gradient] of [
      ["policyChosen", got.gradChosen],
      ["policyRejected", got.gradRejected],
    ] as const) {
      const want = Array.from(gradient, (_, i) => {
        const at = (step: number): number =>
          js.pairLoss(
            mapPairs(few, (array, other) => (other === name ? array.map((x, k) => (k === i ? x + step : x)) : array)),
            options,
          ).loss;
        return (8 * (at(STEP) - at(-STEP)) - (at(2 * STEP) - at(-2 * STEP))) / (12 * STEP);
      });
      const size = Math.max(...gradient.map(Math.abs));
      expect(missesNear(name, gradient, want, 1e-6, 1e-7 * size)).toEqual([]);
    }
  });
});

const prepared = new Map<string, Movements>();

// What float32 has only as denormals counts as 0, or as a number between itself and the least normal one: kernels make no
// denormals, GPUs flush them.
const subnormal = [-4e-39, 4e-39, -1e-44].flatMap((x): (readonly [number, number, number, number])[] => [
  [x, -1, 0, -1],
  [-1, x, -1, 0],
  [x, -0.5, 0, -0.5],
]);
const counted = (x: number): number[] => (Math.abs(x) < 1e-38 && x !== 0 ? [x, Math.sign(x) * 2 ** -126, 0] : [x]);

const NANS = [3, 1022];
const withNaN = (array: FloatArray): FloatArray => array.map((x, i) => (NANS.includes(i) ? Number.NaN : x));

onEachBackend((backend) => {
  describe.each(forms)("$name", ({ name, options }) => {
    it("is within the bound, entry by entry", async () => {
      for (const [what, pairs] of pairBatches) {
        const call: PairLossOptions = { ...options, gradScale: pairs.policyChosen.length };
        const key = `${name}: ${what}`;
        if (!prepared.has(key)) prepared.set(key, exactly(pairs, call));
        const movements = prepared.get(key) as Movements;
        for (const [type, convert] of floatTypes) {
          const got = await backend.pairLoss(convert(pairs), call);
          expect(missesOfPairs(got, movements, options.beta ?? 0.1), `${what}, ${type}`).toEqual([]);
        }
      }
    });

    it("NaN in one pair is NaN there, and nowhere else", async () => {
      const clean = await backend.pairLoss(means, options);
      let read = 0;
      for (const key of [...logpNames, "rewardMargin"] as const) {
        const got = await backend.pairLoss({ ...means, [key]: withNaN(means[key]) }, options);
        if (!NANS.every((i) => Number.isNaN(got.losses[i]))) continue;
        read++;
        const want = Object.fromEntries(vectorNames.map((vector) => [vector, withNaN(clean[vector])]));
        expect(missesBits(got, { ...clean, ...want, loss: Number.NaN }), key).toEqual([]);
      }
      expect(read).toBeGreaterThan(1);
    });

    it("log-probs below float32's normal numbers count as 0 or something between themselves and those", async () => {
      for (const row of subnormal) {
        const single = (values: typeof row) => js.pairLoss(narrow(pairsOf([values])), options);
        const at = row.findIndex((x) => counted(x).length > 1);
        const wants = counted(row[at] as number).map((x) => single(row.map((y, k) => (k === at ? x : y)) as never));
        const got = await backend.pairLoss(narrow(pairsOf([row])), options);
        for (const vector of vectorNames) {
          const values = wants.map((want) => want[vector][0] as number);
          const numbers = values.filter((x) => !Number.isNaN(x));
          const value = got[vector][0] as number;
          const room = 1e-7 + 1e-5 * Math.min(Math.abs(value), FLOAT32_MAX);
          const isBetween = value >= Math.min(...numbers) - room && value <= Math.max(...numbers) + room;
          const isOne = isBetween || (Number.isNaN(value) && numbers.length < values.length);
          expect(isOne, `${row}: ${vector} ${value}, where ${values} are right`).toBe(true);
        }
      }
    });
  });
});

const rows = randomRows(COUNT, 82);
const labelled = (given: FullRows, label: number): FullRows => ({
  ...given,
  desirable: given.desirable.map(() => label),
});
const firstRow = (given: FullRows): FullRows => ({
  ...mapRows(given, (array, name) => (name.startsWith("kl") ? array : array.slice(0, 1))),
  desirable: Uint8Array.of(given.desirable[0] as number),
});
const edgeRows = mapRows(rows, (array, name) =>
  upTo0(array, { policy: 1, reference: 15, klPolicy: 7, klReference: 4 }[name] ?? 1),
);
const holed = (given: FullRows, is: (i: number) => boolean): FullRows =>
  mapRows(given, (array, name) => (name === "policy" ? array.map((x, i) => (is(i) ? Number.NaN : x)) : array));
const rowBatches: [string, FullRows][] = [
  ["log-probs up to 0", edgeRows],
  ["one desirable row, 1023 mismatched", firstRow(labelled(rows, 1))],
  ["one undesirable row, 1023 mismatched", firstRow(labelled(edgeRows, 0))],
  [
    "1023 rows of one side, 5 mismatched",
    { ...labelled(rows, 0), klPolicy: rows.klPolicy.slice(0, 5), klReference: rows.klReference.slice(0, 5) },
  ],
  ["rows without a log-ratio", holed(rows, (i) => i % 5 === 2)],
  ["rows of one side without a log-ratio", holed(rows, (i) => rows.desirable[i] === 1)],
  ["one row with a log-ratio", holed(labelled(rows, 1), (i) => i !== 517)],
  ["empty completions", { ...rows, lengths: Int32Array.from({ length: COUNT }, (_, i) => i % 3) }],
];

onEachBackend((backend) => {
  it.each(rowVariants)("rows: $name", async ({ options }) => {
    for (const [what, given] of rowBatches) {
      const movements = rowMovements(given, () => options);
      const want = wantOf(movements);
      for (const convert of [narrowRows, wideRows]) {
        const got = await backend.unpairedLoss(convert(given), options);
        expect(missesOfRows(got, want, movements, options.beta ?? 0.1), what).toEqual([]);
        expect(Object.keys(got.metrics), what).toEqual(Object.keys(want.metrics ?? {}));
      }
    }
  });
});

describe("the same bits for 1, 2 and 3 workers", async () => {
  const PAIRS = 65536 + 9;
  const many = shared(
    mapPairs(randomPairs(PAIRS, 83), (array, name) => (name in strides ? array.map((x) => x / 40) : array)),
  );
  const pools = await Promise.all([1, 2, 3].map((workers) => createPool({ workers, relaxed: false })));
  afterAll(() => Promise.all(pools.map((pool) => pool.dispose())));
  const out = () => shared(Object.fromEntries(vectorNames.map((name) => [name, new Float32Array(PAIRS)])));

  it.each(forms)("$name", async ({ options }) => {
    const want = wasm.pairLoss(many, options);
    const got = await Promise.all(pools.map((pool) => pool.pairLoss(many, { ...options, out: out() })));
    for (const one of got) {
      expect(missesBits({ ...one, loss: want.loss }, want)).toEqual([]);
      expect(one.loss).toBe(got[0]?.loss);
    }
  });

  // Two shards of rows, a hole in each, and mismatched rows of another number.
  const given = shared(holed(randomRows(PAIRS, 84), (i) => i === 5 || i === PAIRS - 2));
  const mismatched = shared(randomRows(3 * 65536 + 1, 85));
  const all = { ...given, klPolicy: mismatched.klPolicy, klReference: mismatched.klReference };

  it.each(rowVariants)("rows: $name", async ({ options }) => {
    const want = wasm.unpairedLoss(all, options);
    const outOfRows = () => shared({ losses: new Float32Array(PAIRS), grad: new Float32Array(PAIRS) });
    const got = await Promise.all(pools.map((pool) => pool.unpairedLoss(all, { ...options, out: outOfRows() })));
    for (const one of got) {
      expect(bitsOff({ ...one, loss: want.loss }, want)).toEqual([]);
      expect(one.loss).toBe(got[0]?.loss);
      expect(one.metrics).toEqual(got[0]?.metrics);
    }
  });
});
