// TRL's numbers for bco_pair up to v0.28: consecutive steps that share one running mean of rewards.

import { describe, expect, it } from "vitest";
import { createJs, createRunningMean, fromTrl } from "../src/index.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesOfBound, movementsOf } from "./support/bound.ts";
import { missesNear } from "./support/compare.ts";
import { pairsOfBatch, type Run, readGolden } from "./support/golden.ts";
import { wide } from "./support/pairs.ts";

const { bco_runs: runs } = readGolden<{ bco_runs: Run[] }>("legacy.json");
const js = createJs();

onEachBackend((backend) => {
  describe.each([
    ["float32", (pairs: ReturnType<typeof pairsOfBatch>) => pairs],
    ["float64", wide],
  ] as const)("legacy.json, steps of bco_pair from %s", (_type, convert) => {
    for (const { id, hyper, steps } of runs) {
      it(`${id}: ${steps.length} steps`, async () => {
        const { loss } = fromTrl({ loss_type: "bco_pair", ...hyper }, { version: "0.24.0" });
        const rewardShift = createRunningMean();
        for (const { inputs, delta, count, ...want } of steps) {
          const pairs = pairsOfBatch(inputs, true);
          const before = rewardShift.toJSON();
          // Inputs move δ too: the moved calls start from the mean as it stood before this step.
          const movements = movementsOf(pairs, (moved) =>
            js.pairLoss(moved, { ...loss, rewardShift: createRunningMean(before) }),
          );
          const got = await backend.pairLoss(convert(pairs), { ...loss, rewardShift });
          expect(rewardShift.count).toBe(count);
          expect(missesNear("delta", [rewardShift.mean], [delta], 2e-6)).toEqual([]);
          const block = { losses: want.per_pair, gradChosen: want.grad_chosen, gradRejected: want.grad_rejected };
          expect(missesOfBound(got, { loss: want.loss, ...block }, movements, hyper.beta)).toEqual([]);
        }
      });
    }
  });
});

describe("the steps of bco_pair", () => {
  it("are two runs, of four and two steps", () => expect(runs.map(({ steps }) => steps.length)).toEqual([4, 2]));
});
