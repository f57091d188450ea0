// The bits of every call, held: a change that is meant to move code and no number must leave this file alone. The record is of
// the plain SIMD module, whose results are the same on every machine; `UPDATE_BITS=1 npx vitest run test/bits.test.ts` writes
// it anew after a change that is meant to move numbers, and its diff then says which calls moved.

import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { createWasm } from "../src/index.ts";
import type { Floats, LinearLossOptions, LogitsLossOptions, PairLogps, RowLogps } from "../src/types.ts";
import { toBits } from "./support/half.ts";
import { randomLinear } from "./support/linear.ts";
import { layouts, randomLogits } from "./support/logits.ts";
import { narrow, randomPairs, wide } from "./support/pairs.ts";
import { randomRows, wideRows } from "./support/rows.ts";
import { isLikelihood, isSorted, rowVariants, variants } from "./support/variants.ts";

const record = new URL("golden/bits.json", import.meta.url);
const isUpdate = process.env["UPDATE_BITS"] === "1";
const held: Record<string, string> = isUpdate ? {} : JSON.parse(readFileSync(record, "utf8"));
const got: Record<string, string> = {};
const wasm = await createWasm({ relaxed: false });

/** Everything in a result, names and bytes, in the order of the names. */
function digest(result: object): string {
  const hash = createHash("sha256");
  const take = (value: unknown, name: string): void => {
    if (ArrayBuffer.isView(value)) {
      hash.update(`${name}:${value.byteLength}:`);
      hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value).sort()) take((value as Record<string, unknown>)[key], `${name}.${key}`);
    } else if (typeof value === "number") {
      hash.update(name);
      hash.update(new Uint8Array(Float64Array.of(value).buffer));
    }
  };
  take(result, "");
  return hash.digest("hex").slice(0, 16);
}

function holds(name: string, result: object): void {
  got[name] = digest(result);
  if (!isUpdate) expect(got[name], name).toBe(held[name]);
}

const floats: Readonly<Record<string, (values: Float32Array) => Floats>> = {
  f32: (values) => values,
  f16: (values) => ({ f16: toBits("f16", values) }),
  bf16: (values) => ({ bf16: toBits("bf16", values) }),
};

afterAll(() => {
  wasm.dispose();
  if (isUpdate) writeFileSync(record, `${JSON.stringify(got, undefined, 1)}\n`);
});

describe("bits of pairLoss", () => {
  // One pair more than a piece of the staging memory, and a tail that no vector fills.
  const sizes = [1, 37, 4099];
  for (const { name, loss, options } of variants) {
    it(name, () => {
      for (const size of sizes) {
        const pairs = randomPairs(size, 7, 12);
        const weights = Float32Array.from({ length: size }, (_, i) => (i % 5) / 4);
        const inputs: Record<string, PairLogps> = { float32: narrow(pairs), float64: wide(pairs) };
        if (!isSorted(loss)) inputs["weights"] = { ...narrow(pairs), pairWeights: weights };
        for (const [kind, given] of Object.entries(inputs)) {
          holds(`pairLoss/${name}/${size}/${kind}`, wasm.pairLoss(given, { ...options, metrics: "full" }));
        }
      }
    });
  }

  it("mixtures, scaled gradients, no reference, a reward shift", () => {
    const pairs = randomPairs(1003, 11, 12);
    const calls = {
      mixture: { lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1], gradScale: 1024 },
      sorted: { lossType: ["aot", "sigmoid"], lossWeights: [0.5, -0.25], labelSmoothing: 0.1 },
      free: { lossType: ["ipo", "hinge"], referenceFree: true, beta: 0.3 },
      shift: { lossType: "bco_pair", rewardShift: 0.37 },
    } as const;
    for (const [name, options] of Object.entries(calls)) holds(`pairLoss/${name}`, wasm.pairLoss(pairs, options));
  });
});

describe("bits of unpairedLoss", () => {
  const sizes = [1, 37, 4099];
  for (const { name, options } of rowVariants) {
    it(name, () => {
      for (const size of sizes) {
        const rows = randomRows(size, 9, 12);
        const rowWeights = Float32Array.from({ length: size }, (_, i) => (i % 5) / 4);
        const inputs: Record<string, RowLogps> = {
          float32: rows,
          float64: wideRows(rows),
          weights: { ...rows, rowWeights },
        };
        for (const [kind, given] of Object.entries(inputs)) {
          holds(`unpairedLoss/${name}/${size}/${kind}`, wasm.unpairedLoss(given, { ...options, metrics: "full" }));
        }
      }
    });
  }
});

const tokenOptions: Readonly<Record<string, LogitsLossOptions & LinearLossOptions>> = {
  plain: {},
  full: { metrics: "full", lossType: ["ipo", "sft"], lossWeights: [1, 0.5] },
  wpo: { weighting: "wpo", lossType: "robust", labelSmoothing: 0.1 },
  ld: { ldAlpha: 0.4, lossType: "sigmoid_norm", fDivergence: "js_divergence", gradScale: 8 },
  wide: { gradType: "f32", lossType: "apo_down" },
};

describe("bits of sequenceLogps and logitsLoss", () => {
  // Blocks of a row meet at 32,768.
  const shapes = [
    { pairs: 3, length: 9, vocab: 61, seed: 3, holes: 0.2 },
    { pairs: 1, length: 3, vocab: 33_001, seed: 4 },
  ];
  for (const shape of shapes) {
    for (const layout of ["padded", "packed"] as const) {
      for (const [type, of] of Object.entries(floats)) {
        it(`${shape.vocab}, ${layout}, ${type}`, () => {
          const { batch } = layouts[layout](randomLogits(shape));
          const given = { ...batch, logits: of(batch.logits), reference: { logits: of(batch.reference.logits) } };
          const name = `${shape.vocab}/${layout}/${type}`;
          const { reference: _, ...forward } = given;
          holds(`sequenceLogps/${name}`, wasm.sequenceLogps(forward, { metrics: "full", ldAlpha: 0.5 }));
          for (const [how, options] of Object.entries(tokenOptions)) {
            holds(`logitsLoss/${name}/${how}`, wasm.logitsLoss(given, options));
          }
        });
      }
    }
  }
});

describe("bits of linearLoss", () => {
  const shapes = [
    { pairs: 3, length: 9, vocab: 301, width: 19, seed: 5, bias: true },
    { pairs: 2, length: 40, vocab: 2500, width: 24, seed: 6, isPacked: true },
    { pairs: 2, length: 7, vocab: 700, width: 33, seed: 8, rank: 3, bias: true },
  ];
  for (const { ...shape } of shapes) {
    for (const [type, of] of Object.entries(floats)) {
      it(`${shape.vocab} × ${shape.width}, ${type}`, () => {
        const call = randomLinear(shape);
        const given = {
          ...call,
          hidden: of(call.hidden as Float32Array),
          weight: of(call.weight as Float32Array),
          ...(call.bias && { bias: of(call.bias as Float32Array) }),
        };
        for (const [how, options] of Object.entries(tokenOptions)) {
          holds(`linearLoss/${shape.vocab}/${type}/${how}`, wasm.linearLoss(given, options));
        }
      });
    }
  }
});

it("every call of the record is still made", () => {
  expect(Object.keys(got).sort()).toEqual(isUpdate ? Object.keys(got).sort() : Object.keys(held).sort());
  expect(variants.some(({ loss }) => isLikelihood(loss))).toBe(true);
});
