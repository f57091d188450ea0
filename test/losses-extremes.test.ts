// Saturated and infinite inputs: every loss in every form stays finite where it is finite, and takes its limit where one
// exists.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { PairLogps, PairLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { exactly, type Movements, missesOfBound } from "./support/bound.ts";
import { vectorNames } from "./support/compare.ts";
import { inTurn } from "./support/in-turn.ts";
import { limitsAt } from "./support/limits.ts";
import { logpNames, narrow, pairsOf, wide } from "./support/pairs.ts";
import { type Variant, variants } from "./support/variants.ts";

const js = createJs();
const betaOf = ({ options }: Variant): number => options.beta ?? 0.1;

type Row = [number, number, number, number];
const margins = [0, 1e-3, 0.5, 1, 10, 50, 88, 100, 710, 1e3, 1e4].flatMap((z) => [z, -z]);

// z comes from the chosen log-ratio alone, from the rejected, from both; then both are large and their margin is 0. One
// pair per call: next to a loss of 1e4 the bound would forgive a small one anything.
const saturated = (beta: number): PairLogps[] =>
  margins
    .map((z) => z / beta)
    .flatMap((m): Row[] => [
      [m - 64, -32, -64, -32],
      [-64, -m - 32, -64, -32],
      [m / 2 - 64, -m / 2 - 32, -64, -32],
      [m, m, 0, 0],
    ])
    .map((row) => narrow(pairsOf([row])));

// The score of the forward KL is e^−r, AlphaPO's reward of s of the order of e^−αs: where the loss of a pair leaves float32 through
// it, its gradients are ∞·0.
const overflows = ({ options }: Variant, { base }: Movements): boolean =>
  (options.fDivergence === "forward_kl" || options.alphapoAlpha !== undefined) &&
  Math.abs(base.losses[0] as number) === Infinity;

describe.each(variants)("$name", (variant) => {
  const { options } = variant;
  const batches = saturated(betaOf(variant));
  let movements: Movements[] | undefined;

  onEachBackend((backend, kind) => {
    it("is right for margins up to 1e4", async () => {
      movements ??= batches.map((pairs) => exactly(pairs, options));
      const lines: string[] = [];
      // Every third of four forms: each margin in one or two, each form with margins of every size.
      for (const [i, pairs] of inTurn(kind, [...batches.entries()], 0, 3)) {
        const moved = movements[i] as Movements;
        if (overflows(variant, moved)) continue;
        const found = missesOfBound(await backend.pairLoss(pairs, options), moved.base, moved, betaOf(variant));
        lines.push(...found.map((line) => `${logpNames.map((name) => pairs[name]?.[0])}: ${line}`));
      }
      expect(lines).toEqual([]);
    });

    it.each(["float32", "float64"] as const)("takes its limits at infinite log-probs in %s", async (type) => {
      const lines: string[] = [];
      for (const row of infinite) {
        const pairs = pairsOf([row]);
        const got = await backend.pairLoss(type === "float32" ? narrow(pairs) : wide(pairs), options);
        const limits = limitsAt(row, (finite) => js.pairLoss(pairsOf([finite]), options));
        lines.push(...missesOfLimits(got, limits).map((line) => `${row}: ${line}`));
      }
      expect(lines).toEqual([]);
    });
  });
});

// Each log-prob infinite alone, then two that agree and two that do not.
const infinite: Row[] = [Infinity, -Infinity].flatMap((x): Row[] => [
  [x, -32, -64, -32],
  [-64, x, -64, -32],
  [-64, -32, x, -32],
  [-64, -32, -64, x],
  [x, -x, -64, -32],
  [x, x, -64, -32],
  [-64, -32, x, x],
]);

function missesOfLimits(got: PairLossResult, limits: Record<string, number | undefined>): string[] {
  return vectorNames.flatMap((name) => {
    const [value, limit] = [got[name][0] as number, limits[name]];
    if (limit === undefined || value === limit) return [];
    const near = Math.abs(value - limit) <= 1e-5 * Math.abs(limit) + 1e-9;
    return near ? [] : [`${name}: got ${value}, the limit is ${limit}`];
  });
}

onEachBackend((backend) => {
  it("hinge has no slope at its kink, z = 1 exactly, and all of it just below", async () => {
    // 1/8 and its multiples are exact, so that z is 1 and 1 − 2^-13.
    const pairs = narrow(
      pairsOf([
        [-56, -32, -64, -32],
        [-56 - 2 ** -10, -32, -64, -32],
      ]),
    );
    const { losses, gradChosen, gradRejected } = await backend.pairLoss(pairs, { lossType: "hinge", beta: 1 / 8 });
    expect(Array.from(losses)).toEqual([0, 2 ** -13]);
    expect(Array.from(gradChosen, (slope) => slope + 0)).toEqual([0, -1 / 16]);
    expect(Array.from(gradRejected, (slope) => slope + 0)).toEqual([0, 1 / 16]);
  });
});
