// TRL v0.24's own numbers from logits: loss and gradient of the pipeline cases of legacy.json, read with that version's
// meanings. Its metrics are others (losses.md §8).

import { describe, expect, it } from "vitest";
import { createRunningMean, fromTrl } from "../src/index.ts";
import type { LossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesNear } from "./support/compare.ts";
import { readGolden } from "./support/golden.ts";
import { type LogitsCase, logitsOfRows, type Rows } from "./support/golden-logits.ts";
import { layoutNames, layouts } from "./support/logits.ts";

type LegacyCase = LogitsCase & Rows;

const all = readGolden<{ pipeline_cases: LegacyCase[] }>("legacy.json").pipeline_cases;

// Out: sigmoid beside ipo. v0.24 averaged the log-probs of a list with ipo for all of its losses; here, as in TRL since
// v0.29, ipo alone divides (losses.md §2). ipo by itself has the same value and gradient either way, and stays.
const isAveraged = ({ loss_types }: LegacyCase): boolean => loss_types.includes("ipo") && loss_types.length > 1;
const cases = all.filter((golden) => !isAveraged(golden));

function optionsOf({ loss_types, loss_weights = [], hyper }: LegacyCase): LossOptions {
  const config = { loss_type: loss_types, loss_weights, ...hyper };
  const { loss } = fromTrl(config, { version: "0.24.0" });
  // fromTrl leaves the running mean to the caller; these cases are at its first step.
  return loss_types.includes("bco_pair") ? { ...loss, rewardShift: createRunningMean() } : loss;
}

onEachBackend((backend) => {
  describe.each(layoutNames)("pipeline cases of legacy.json, %s", (layout) => {
    it.each(cases.map((golden) => [golden.id, golden] as const))("%s", async (_id, golden) => {
      const { batch, unpack } = layouts[layout](logitsOfRows(golden));
      const got = await backend.logitsLoss(batch, optionsOf(golden));
      const want = golden.f64.grad_logits.flat(2);
      const bound = 1e-5 * magnitude(want);
      const gradient = unpack(got.gradLogits as Float32Array, batch.vocab);
      expect([
        ...missesNear("loss", [got.loss], [golden.f64.loss], 1e-5),
        ...misses("gradLogits", gradient, want, (g, w) => excessOver(bound, g, w)),
      ]).toEqual([]);
    });
  });

  it("what is left out is off by more than rounding, so that leaving it out is right", async () => {
    for (const golden of all.filter(isAveraged)) {
      const { batch } = layouts.padded(logitsOfRows(golden));
      const { loss } = await backend.logitsLoss(batch, optionsOf(golden));
      expect(Math.abs(loss / golden.f64.loss - 1)).toBeGreaterThan(1e-3);
    }
  });
});

describe("the pipeline cases of legacy.json", () => {
  it("are nine, of which one is left out", () => {
    expect([all.length, cases.length]).toEqual([9, 8]);
  });
});
