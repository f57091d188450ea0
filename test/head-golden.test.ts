// TRL 1.16's own numbers from hidden states, with logits scaled, capped and divided by a temperature: every case of
// trl-1.16-head.json, on every backend.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesNear } from "./support/compare.ts";
import { headCallOf, headCases } from "./support/golden-head.ts";
import { withLastColumn } from "./support/golden-logits.ts";

onEachBackend((backend) => {
  describe("trl-1.16-head.json", () => {
    it.each(headCases.map((one) => [one.id, one] as const))("%s", async (_id, golden) => {
      const { batch, options } = headCallOf(golden);
      const { f64 } = golden;
      const got = await backend.linearLoss(batch, { ...options, metrics: "full" });
      const floor = 1e-8;
      const gradient = (name: string, floats: unknown, want: number[]) => {
        const bound = 1e-5 * magnitude(want) + floor;
        return misses(name, floats as Float32Array, want, (g, w) => excessOver(bound, g, w));
      };
      expect([
        ...missesNear("loss", [got.loss], [f64.loss], 1e-5, 2e-6),
        ...missesNear("tokenLogps", got.tokenLogps, withLastColumn(f64.per_token_logps), 1e-6, 2e-6),
        ...gradient("gradHidden", got.gradHidden, f64.grad_hidden.flat(2)),
        ...gradient("gradWeight", got.gradWeight, f64.grad_weight.flat()),
        ...(f64.grad_bias ? gradient("gradBias", got.gradBias, f64.grad_bias) : []),
        ...Object.entries(f64.metrics).flatMap(([key, want]) =>
          key === "num_tokens" ? [] : missesNear(key, [got.metrics[key] as number], [want], 1e-5, 2e-6),
        ),
      ]).toEqual([]);
    });
  });
});

describe("trl-1.16-head.json", () => {
  it("has every transform, alone and together", () => {
    expect(headCases).toHaveLength(49);
    const keys = headCases.map(({ logit }) => Object.keys(logit).sort().join());
    expect([...new Set(keys)].sort()).toEqual([
      "",
      "logitScale",
      "logitScale,logitSoftcap,temperature",
      "logitSoftcap",
      "temperature",
    ]);
  });
});
