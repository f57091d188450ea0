// TRL's own numbers from logits: every case of pipeline.json, on every backend, padded and packed, within the bound of
// docs/numerics.md without its allowance for inputs that move.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, meanMagnitude, misses, missesNear } from "./support/compare.ts";
import { optionsOf, readGolden } from "./support/golden.ts";
import { type LogitsCase, logitsOfRows, type Rows, withLastColumn } from "./support/golden-logits.ts";
import { layoutNames, layouts } from "./support/logits.ts";

const { batches, cases } = readGolden<{ batches: Record<string, Rows>; cases: LogitsCase[] }>("pipeline.json");

const prepared = cases.map((golden) => {
  const { f64, loss_weights, loss_types } = golden;
  const batch = logitsOfRows(batches[golden.batch] as Rows);
  const weights = loss_weights ?? loss_types.map(() => 1);
  const lists = f64.per_pair as number[][];
  const losses = (lists[0] as number[]).map((_, i) =>
    lists.reduce((sum, list, j) => sum + (weights[j] as number) * (list[i] as number), 0),
  );
  return { golden, batch, options: optionsOf(golden, "1.9.2"), losses, gradient: f64.grad_logits.flat(2) };
});

const within = (bound: (want: number) => number) => (got: number, want: number) => excessOver(bound(want), got, want);

onEachBackend((backend) => {
  describe.each(layoutNames)("pipeline.json, %s", (layout) => {
    it.each(prepared.map((one) => [one.golden.id, one] as const))("%s", async (_id, one) => {
      const { golden, options, losses, gradient } = one;
      const { f64 } = golden;
      const { batch, unpack } = layouts[layout](one.batch);
      const { vocab } = batch;
      const floor = (2e-7 * (options.beta ?? 0.1)) / losses.length;
      const got = await backend.logitsLoss(batch, { ...options, metrics: "full" });
      const sums = [...(f64.policy_chosen_logps ?? []), ...(f64.policy_rejected_logps ?? [])];
      const tokens = withLastColumn(f64.per_token_logps as number[][]);
      const ofGradient = 1e-5 * magnitude(gradient) + floor;
      const ofLosses = (want: number): number => 1e-5 * Math.max(Math.abs(want), magnitude(losses)) + floor;
      expect([
        ...misses(
          "loss",
          [got.loss],
          [f64.loss],
          within(() => 1e-5 * meanMagnitude(losses) + floor),
        ),
        ...misses("losses", got.losses, losses, within(ofLosses)),
        ...misses(
          "gradLogits",
          unpack(got.gradLogits as Float32Array, vocab),
          gradient,
          within(() => ofGradient),
        ),
        ...missesNear("tokenLogps", unpack(got.tokenLogps, 1), tokens, 2.5e-7, 2e-6),
        ...missesNear("logps", got.logps, sums, 2.5e-7, 2e-6),
        ...Object.entries(f64.metrics).flatMap(([key, want]) =>
          key === "num_tokens" ? [] : missesNear(key, [got.metrics[key] as number], [want], 1e-5, 2e-6),
        ),
      ]).toEqual([]);
    });
  });
});

describe("pipeline.json", () => {
  it("holds the cases that the tests count on", () => {
    expect(prepared).toHaveLength(58);
    expect(prepared.filter(({ options }) => options.weighting === "wpo")).toHaveLength(9);
    expect(prepared.filter(({ options }) => options.ldAlpha !== undefined).length).toBeGreaterThan(5);
  });
});
