// TRL's own numbers: every golden vector at the level of sequence log-probabilities, on every backend, from float32 and from
// float64 inputs, within the bound of docs/numerics.md.

import { describe, expect, it } from "vitest";
import type { PairLogps } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { exactly, type Movements, missesOfBound, type Want } from "./support/bound.ts";
import { missesNear } from "./support/compare.ts";
import { type Batch, type Case, optionsOf, pairsOfBatch, readGolden, wantOf } from "./support/golden.ts";
import { wide } from "./support/pairs.ts";

interface File {
  name: string;
  cases: Case[];
  batches: Record<string, Batch>;
  /** The TRL version whose meanings apply; undefined for the default. */
  version?: string;
  /** Whether log-probs are averages: lengths of 1. */
  averaged?: boolean;
}

type Current = { batches: Record<string, Batch>; cases: Case[] };
const legacy = readGolden<{ batches: Record<string, Batch>; logps_cases: Case[] }>("legacy.json");
const files: File[] = [
  { name: "logps.json", ...readGolden<Current>("logps.json"), version: "1.9.2" },
  { name: "logps_large.json", ...readGolden<Current>("logps_large.json"), version: "1.9.2" },
  { name: "legacy.json", batches: legacy.batches, cases: legacy.logps_cases, version: "0.24.0", averaged: true },
  { name: "trl-1.16-logps.json", ...readGolden<Current>("trl-1.16-logps.json") },
];

// A case's inputs and bound serve all backends.
const prepared = files.map(({ name, cases, batches, version, averaged = false }) => ({
  name,
  cases: cases.map((golden) => {
    const pairs = pairsOfBatch(batches[golden.batch] as Batch, averaged);
    const options = optionsOf(golden, version);
    const want = withoutEmpty(wantOf(golden), batches[golden.batch] as Batch);
    return { golden, pairs, options, want, movements: once(() => exactly(pairs, options)) };
  }),
}));

// TRL was handed log-probs as they stand; in its trainer none of an empty completion's depends on the model.
function withoutEmpty(want: Want, { chosen_lengths = [], rejected_lengths = [] }: Batch): Want {
  const clear = (gradient: Want["losses"], lengths: readonly number[]): number[] =>
    Array.from(gradient, (value, i) => (lengths[i] === 0 ? 0 : value));
  const { gradChosen, gradRejected } = want;
  return {
    ...want,
    gradChosen: clear(gradChosen, chosen_lengths),
    gradRejected: clear(gradRejected, rejected_lengths),
  };
}

function once<T>(make: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= make();
    return value;
  };
}

// TRL's float64 is NaN there by ∞ − ∞ or 0·∞: no reference value. Elsewhere nothing is NaN (asserted below).
const isOpen = ({ hyper }: Case): boolean => hyper["f_divergence_type"] === "forward_kl";

onEachBackend((backend) => {
  for (const { name, cases } of prepared) {
    describe(name, () => {
      for (const { golden, pairs, options, want, movements } of cases) {
        const run = async (inputs: PairLogps, moved: Movements): Promise<void> => {
          const got = await backend.pairLoss(inputs, options);
          expect(missesOfBound(got, want, moved, options.beta ?? 0.1, isOpen(golden))).toEqual([]);
        };
        it(`${golden.id} from float32`, () => run(pairs, movements()));
        it(`${golden.id} from float64`, () => run(wide(pairs), movements()));
      }
    });
  }

  describe("rewards in legacy.json", () => {
    for (const { golden, pairs, options } of prepared[2]?.cases ?? []) {
      it(`${golden.id} gives β·(policy − reference) per pair`, async () => {
        const got = await backend.pairLoss(pairs, { ...options, metrics: "full" });
        const { rewards_chosen = [], rewards_rejected = [] } = golden.f64;
        expect(missesNear("chosenRewards", got.chosenRewards ?? [], rewards_chosen, 1e-6)).toEqual([]);
        expect(missesNear("rejectedRewards", got.rejectedRewards ?? [], rewards_rejected, 1e-6)).toEqual([]);
      });
    }
  });
});

describe("the golden files", () => {
  it("hold the cases that their README counts on", () => {
    expect(prepared.map(({ cases }) => cases.length)).toEqual([343, 5, 52, 201]);
  });

  it("leave no reference value open but five under forward_kl", () => {
    const all = prepared.flatMap(({ cases }) => cases);
    const nans = all.flatMap(({ golden, want }) =>
      [...want.losses, ...want.gradChosen, ...want.gradRejected].flatMap((value) =>
        Number.isNaN(value) ? [golden.id] : [],
      ),
    );
    expect(nans.filter((id) => id !== "285-extreme16-sigmoid" && id !== "287-onesided_extreme8-sigmoid")).toEqual([]);
    expect(nans).toHaveLength(5);
  });
});
