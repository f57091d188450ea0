// TRL's numbers for the losses of single rows: from log-probs, and consecutive steps of BCO that share one running mean.

import { describe, expect, it } from "vitest";
import { createRunningMean } from "../src/index.ts";
import type { RowLogps, UnpairedLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { readGolden } from "./support/golden.ts";
import { missesOfRows, narrowRows, rowMovements, wideRows } from "./support/rows.ts";

interface Block {
  loss: number;
  per_example: number[];
  grad: number[];
  metrics?: Record<string, number>;
}

interface Batch {
  policy_logps: number[];
  ref_logps: number[];
  labels: boolean[];
  kl_policy_logps?: number[];
  kl_ref_logps?: number[];
}

interface Step extends Batch {
  train: boolean;
  prob_desirable?: number[];
  delta: number;
  count: number;
  f64: Block;
}

interface Case {
  id: string;
  batch: string;
  loss_type: string;
  hyper: { beta: number; desirable_weight: number; undesirable_weight: number };
  f64: Block;
  stable_f64?: Block;
}

interface Run {
  id: string;
  hyper: { beta: number; min_density_ratio: number; max_density_ratio: number };
  steps: Step[];
}

const { unpaired, bco_runs: runs } = readGolden<{
  unpaired: { batches: Record<string, Batch>; cases: Case[] };
  bco_runs: Run[];
}>("beyond.json");

const rowsOf = (batch: Batch): RowLogps => ({
  policy: Float64Array.from(batch.policy_logps),
  reference: Float64Array.from(batch.ref_logps),
  desirable: batch.labels,
  ...(batch.kl_policy_logps && { klPolicy: Float64Array.from(batch.kl_policy_logps) }),
  ...(batch.kl_ref_logps && { klReference: Float64Array.from(batch.kl_ref_logps) }),
});

const wantOf = ({ loss, per_example, grad }: Block, metrics: Record<string, number> | undefined) => ({
  loss,
  losses: per_example,
  grad,
  ...(metrics && { metrics }),
});

// TRL logs sums, and divides by the counts once an interval is over.
function meansOf(metrics: Record<string, number>): Record<string, number> {
  const means = Object.entries(metrics).map(([key, value]) => {
    const side = /^(?:rewards|logps)\/(chosen|rejected)_sum$/.exec(key)?.[1];
    return side ? [key.replace("_sum", ""), value / (metrics[`count/${side}`] as number)] : [key, value];
  });
  return Object.fromEntries(means);
}

const sides = ["chosen", "rejected"].flatMap((side) => [`rewards/${side}`, `logps/${side}`, `count/${side}`]);

onEachBackend((backend) => {
  describe.each([
    ["float32", narrowRows<RowLogps>],
    ["float64", wideRows<RowLogps>],
  ] as const)("beyond.json, rows from %s", (_type, convert) => {
    it.each(unpaired.cases)("$id", async ({ batch, loss_type, hyper, f64, stable_f64 }) => {
      const rows = rowsOf(unpaired.batches[batch] as Batch);
      const { beta, desirable_weight: desirableWeight, undesirable_weight: undesirableWeight } = hyper;
      const options: UnpairedLossOptions = { lossType: loss_type, beta, desirableWeight, undesirableWeight };
      const got = await backend.unpairedLoss(convert(rows), options);
      const want = wantOf(stable_f64 ?? f64, f64.metrics);
      expect(
        missesOfRows(
          got,
          want,
          rowMovements(rows, () => options),
          beta,
        ),
      ).toEqual([]);
      // A label that does not occur has no keys.
      for (const key of sides)
        if (!key.startsWith("count")) expect(key in got.metrics, key).toBe(key in (f64.metrics ?? {}));
    });

    it.each(runs)("steps of BCO: $id", async ({ hyper, steps }) => {
      const shift = createRunningMean();
      for (const step of steps) {
        const rows = rowsOf(step);
        if (step.prob_desirable) rows.densityRatio = densityOf(step, hyper);
        const before = shift.toJSON();
        // An evaluation leaves the mean alone: it is handed the number.
        const optionsAt = (mean: typeof shift) => ({
          lossType: "bco",
          beta: hyper.beta,
          rewardShift: step.train ? mean : mean.mean,
        });
        const movements = rowMovements(rows, () => optionsAt(createRunningMean(before)));
        const got = await backend.unpairedLoss(convert(rows), optionsAt(shift));
        expect(shift.count).toBe(step.count);
        expect(missesNear("delta", [shift.mean], [step.delta], 2e-6, 1e-12)).toEqual([]);
        const want = wantOf(step.f64, meansOf(step.f64.metrics ?? {}));
        expect(missesOfRows(got, want, movements, hyper.beta)).toEqual([]);
        for (const key of sides) expect(key in got.metrics, key).toBe(key in (want.metrics ?? {}));
      }
    });
  });
});

// losses.md §10.7: the clip is the user's.
function densityOf({ labels, prob_desirable: probabilities = [] }: Step, hyper: Run["hyper"]): Float64Array {
  let next = 0;
  return Float64Array.from(labels, (label) => {
    if (label) return Number.NaN;
    const q = probabilities[next++] as number;
    return Math.min(Math.max(q / (1 - q + 1e-8), hyper.min_density_ratio), hyper.max_density_ratio);
  });
}

describe("beyond.json", () => {
  it("has 34 cases of rows and four runs of BCO", () => {
    expect([unpaired.cases.length, ...runs.map(({ steps }) => steps.length)]).toEqual([34, 6, 4, 2, 1]);
  });
});
