// Rewards are β·(policy − reference) whatever the loss: β counts as used by every one of them, also where no formula has it.

import { describe, expect, it } from "vitest";
import { createJs, defineLoss, fromTrl, type LossOptions } from "../src/index.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { randomPairs } from "./support/pairs.ts";
import { pairTypes } from "./support/variants.ts";

const BETA = 0.27;
const pairs = randomPairs(9, 61);

const lists: LossOptions["lossType"][] = [...pairTypes, ["sft", "sft"], ["sft", "sigmoid"], ["aot", "sft"]];

/** β times the log-ratios, and their mean. */
function rewardsOf(side: "Chosen" | "Rejected"): { each: number[]; mean: number } {
  const [policy, reference] = [pairs[`policy${side}`], pairs[`reference${side}`]];
  const each = Array.from(policy, (p, i) => BETA * (p - (reference[i] as number)));
  return { each, mean: each.reduce((sum, x) => sum + x, 0) / each.length };
}

onEachBackend((backend) => {
  it.each(lists.map((lossType) => ({ lossType })))("$lossType", async ({ lossType }) => {
    const got = await backend.pairLoss(pairs, { lossType, beta: BETA, metrics: "full" });
    const [chosen, rejected] = [rewardsOf("Chosen"), rewardsOf("Rejected")];
    const lines = [
      ...missesNear("chosenRewards", got.chosenRewards ?? [], chosen.each, 1e-6, 1e-6),
      ...missesNear("rejectedRewards", got.rejectedRewards ?? [], rejected.each, 1e-6, 1e-6),
      ...missesNear(
        "metrics",
        ["chosen", "rejected", "margins"].map((name) => got.metrics[`rewards/${name}`] as number),
        [chosen.mean, rejected.mean, chosen.mean - rejected.mean],
        1e-6,
        1e-6,
      ),
    ];
    expect(lines).toEqual([]);
  });

  it("beside tokens, for sft alone", async () => {
    const batch = {
      tokens: { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(0, 1) },
      vocab: 2,
      logits: Float32Array.of(1, -1, 1, -1),
      reference: { logps: Float32Array.of(-1, -1) },
    };
    const rewards = async (beta: number): Promise<number> =>
      (await backend.logitsLoss(batch, { lossType: "sft", beta })).metrics["rewards/chosen"] as number;
    expect(await rewards(0.5)).toBeCloseTo(5 * (await rewards(0.1)), 6);
    expect(await rewards(0.5)).not.toBe(0);
  });
});

const js = createJs();

describe("β that no formula uses", () => {
  it("is held to its range all the same", () => {
    for (const beta of [0, -1, Infinity, Number.NaN]) {
      expect(() => js.pairLoss(pairs, { lossType: "sft", beta })).toThrow(/^beta: expected a number in \(0, ∞\)/);
    }
  });

  it("scales the rewards of a loss of one's own", () => {
    const square = defineLoss({ id: "square", title: "d²", params: {}, margin: (d) => [d * d, 2 * d] });
    const { metrics } = js.pairLoss(pairs, { lossType: square, beta: BETA });
    expect(metrics["rewards/chosen"]).toBeCloseTo(rewardsOf("Chosen").mean, 6);
  });

  it("comes through fromTrl, in a mixture too", () => {
    for (const loss_type of ["sft", ["sft", "sft"], ["sft", "ipo"]]) {
      const { loss, warnings } = fromTrl({ loss_type, beta: BETA });
      expect(warnings).toEqual([]);
      expect(js.pairLoss(pairs, loss).metrics["rewards/chosen"]).toBeCloseTo(rewardsOf("Chosen").mean, 6);
    }
  });
});
