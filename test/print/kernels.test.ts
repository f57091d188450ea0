// Every printed kernel means what its definition says, in each language; each printed text is run as it stands, on float64.

import { describe, expect, it } from "vitest";
import { kernels } from "../../scripts/generate/kernels.ts";
import { type LossType, lossTable } from "../../src/losses/index.ts";
import { margins, reverseKl } from "../../src/plan/divergences.ts";
import type { Kernel } from "../../src/print/kernel.ts";
import { type Numbers, operationsOf, repeated, targets, wgslBody } from "../support/printed.ts";

const GRAD_SCALE = 0.375;

describe("every kernel of the table", () => {
  it.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s computes nothing twice", (_, kernel) => {
    expect(repeated(operationsOf(kernel))).toEqual([]);
    expect(wgslBody(kernel).match(/exp_neg_abs\(\w+\)/g) ?? []).toEqual([
      ...new Set(wgslBody(kernel).match(/exp_neg_abs\(\w+\)/g) ?? []),
    ]);
  });

  /** The definition itself, with the gradients scaled. */
  function expected({ name, params }: Kernel, values: Numbers): readonly number[] {
    const { a = 0, c = 0, chosenLength = 0, rejectedLength = 0, rewardMargin = 0 } = values;
    const [first, ...rest] = params.map((param) => values[param] as number);
    const margin = Object.entries(margins).find(([id]) => name === `margin_${id}`)?.[1];
    if (margin) return margin(a, c, chosenLength, rejectedLength, ...params.map((param) => values[param] as number));
    const loss = lossTable[name.replace("pair_", "") as LossType];
    const scale = first ?? 1;
    const [n, m] = loss?.perToken ? [chosenLength, rejectedLength] : [1, 1];
    const given = [...(loss?.columns ?? []).map(() => rewardMargin), ...rest];
    if (loss?.kind === "pair") {
      const [value, da, dc] = loss.formula(a / n, c / m, ...given);
      return [value, (scale * da) / n, (scale * dc) / m];
    }
    if (loss?.kind === "row") {
      const [value, slope] = loss.formula(a, c, ...rest);
      return [value, scale * slope, 0];
    }
    if (loss?.kind !== "margin") return expect.fail(`${name} has no definition`);
    const [d, da, dc] = reverseKl(a, c, n, m);
    const [value, slope] = loss.formula(d, ...given);
    return [value, scale * slope * da, scale * slope * dc];
  }

  const hyper = {
    gradScale: GRAD_SCALE,
    beta: 0.3,
    labelSmoothing: 0.1,
    discopopTau: 0.2,
    rewardShift: 0.4,
    desirableWeight: 1.2,
    undesirableWeight: 0.7,
    kl: 0.6,
    simpoGamma: 0.7,
    dpopLambda: 3,
    k: -0.5,
    cap: 2,
    unit: 0.25,
    slopeUnit: 0.125,
  };
  const points: Numbers[] = [
    { a: 0, c: 0 },
    { a: 3.5, c: -2.25 },
    { a: -7, c: 1.5 },
    { a: 0.1, c: 0.1 },
    { a: 40, c: -60 },
    { a: -500, c: 300 },
    { a: -3, c: -9 },
    { a: -40, c: -1e-3 },
  ].map((pair, i) => ({
    chosenLength: 7,
    rejectedLength: 3,
    rewardMargin: [1, -0.5, 0.01][i % 3] ?? 0,
    ...hyper,
    ...pair,
  }));

  it.each(
    kernels.flatMap((kernel) =>
      Object.entries(targets).map(([target, run]) => [kernel.name, target, kernel, run] as const),
    ),
  )("%s means in %s what its definition says", (_, __, kernel, run) => {
    for (const values of points) {
      const want = expected(kernel, values);
      const results = run(kernel, values);
      // A kernel makes the gradients of a NaN loss NaN.
      if (Number.isNaN(want[0])) expect(results[0]).toBeNaN();
      else
        results.forEach((got, k) => {
          expect(Math.abs(got - (want[k] as number))).toBeLessThanOrEqual(1e-13 * (1 + Math.abs(want[k] as number)));
        });
    }
  });
});
