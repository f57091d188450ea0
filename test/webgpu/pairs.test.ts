// pairLoss on the GPU: TRL's own numbers, every loss in every form against the js backend, hostile values.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import type { PairLogps } from "../../src/types.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { exactly, missesOfBound } from "../support/bound.ts";
import { missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { type Batch, type Case, optionsOf, pairsOfBatch, readGolden, wantOf } from "../support/golden.ts";
import { mapPairs, narrow, randomPairs, wide, withValue } from "../support/pairs.ts";
import { isSorted, variants } from "../support/variants.ts";

type Golden = { batches: Record<string, Batch>; cases: Case[] };
const legacy = readGolden<{ batches: Record<string, Batch>; logps_cases: Case[] }>("legacy.json");
const files: (Golden & { name: string; version: string; averaged?: boolean })[] = [
  { name: "logps.json", ...readGolden<Golden>("logps.json"), version: "1.9.2" },
  { name: "logps_large.json", ...readGolden<Golden>("logps_large.json"), version: "1.9.2" },
  { name: "legacy.json", batches: legacy.batches, cases: legacy.logps_cases, version: "0.24.0", averaged: true },
];
const js = createJs();

// TRL's own float64 is NaN there: test/golden.test.ts.
const isOpen = ({ hyper }: Case): boolean => hyper["f_divergence_type"] === "forward_kl";

onDawn("pairLoss on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  describe.each(files)("$name", ({ cases, batches, version, averaged = false }) => {
    const kinds = [
      ["float32", narrow],
      ["float64", wide],
    ] as const;
    it.each(cases.flatMap((golden) => kinds.map(([kind, convert]) => [golden.id, kind, golden, convert] as const)))(
      "%s, %s",
      async (_id, _kind, golden, convert) => {
        const pairs = pairsOfBatch(batches[golden.batch] as Batch, averaged);
        const options = optionsOf(golden, version);
        const got = await gpu.pairLoss(convert(pairs), { ...options, metrics: "full" });
        const movements = exactly(pairs, options);
        expect(missesOfBound(got, wantOf(golden), movements, options.beta ?? 0.1, isOpen(golden))).toEqual([]);
        const { rewards_chosen, rewards_rejected = [] } = golden.f64;
        if (!rewards_chosen) return;
        expect(missesNear("chosenRewards", got.chosenRewards ?? [], rewards_chosen, 1e-6)).toEqual([]);
        expect(missesNear("rejectedRewards", got.rejectedRewards ?? [], rewards_rejected, 1e-6)).toEqual([]);
      },
    );
  });

  describe("agrees with js", () => {
    it.each(variants.map((one) => [one.name, one] as const))("%s", async (_name, { options }) => {
      for (const count of [1, 3, 64, 1003]) {
        const pairs: PairLogps = randomPairs(count, 7);
        const movements = exactly(pairs, options);
        const got = await gpu.pairLoss(pairs, options);
        expect(missesOfBound(got, js.pairLoss(pairs, options), movements, options.beta ?? 0.1)).toEqual([]);
      }
    });
  });

  describe("sorts as js does: stable, NaN last", () => {
    it.each([2, 511, 512, 513, 5000])("%i pairs", async (count) => {
      const pairs = randomPairs(count, 11);
      // A few values, so that many keys tie; both zeros; a NaN and infinities.
      const few = mapPairs(pairs, (array) => array.map((x) => Math.round(x / 16))) as typeof pairs;
      const edges = [Number.NaN, Infinity, -Infinity, -0, 0];
      const spoilt = few.policyChosen.map((x, i) => (i % 97 === 1 ? (edges[((i / 97) % 5) | 0] as number) : x));
      for (const policyChosen of [few.policyChosen, spoilt]) {
        for (const lossType of ["aot", "aot_unpaired", ["aot", "sigmoid", "aot_unpaired"]]) {
          const options = { lossType, beta: 0.3 };
          const batch = { ...few, policyChosen };
          const [got, want] = [await gpu.pairLoss(batch, options), js.pairLoss(batch, options)];
          for (const key of vectorNames) expect(missesNear(key, got[key], want[key], 1e-5, 1e-7)).toEqual([]);
        }
      }
    });
  });

  describe("keeps a NaN to its pair", () => {
    const losses = variants.filter(({ loss }) => !isSorted(loss));
    it.each(losses.map((one) => [one.name, one] as const))("%s", async (_name, { options }) => {
      for (const name of ["policyChosen", "policyRejected", "referenceChosen"] as const) {
        const pairs = withValue(randomPairs(70, 3, 4), name, 66, Number.NaN);
        const [got, want] = [await gpu.pairLoss(pairs, options), js.pairLoss(pairs, options)];
        const nans = (values: Float32Array): number[] => [...values.keys()].filter((i) => Number.isNaN(values[i]));
        for (const key of ["losses", "gradChosen", "gradRejected"] as const) {
          expect(nans(got[key] as Float32Array), `${name} ${key}`).toEqual(nans(want[key] as Float32Array));
        }
      }
    });
  });
});
