// Learning rates against transformers' get_scheduler, restated.

import { describe, expect, it } from "vitest";
import { fromTrl } from "../src/index.ts";
import { lrSchedule } from "../src/train.ts";

type Factor = (step: number, warmup: number, total: number) => number;

/** transformers/optimization.py, the lambdas of the four schedules. */
const lambdas: Record<string, Factor> = {
  constant: () => 1,
  constant_with_warmup: (step, warmup) => (step < warmup ? step / Math.max(1, warmup) : 1),
  linear: (step, warmup, total) =>
    step < warmup ? step / Math.max(1, warmup) : Math.max(0, (total - step) / Math.max(1, total - warmup)),
  cosine: (step, warmup, total) => {
    if (step < warmup) return step / Math.max(1, warmup);
    const progress = (step - warmup) / Math.max(1, total - warmup);
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * 2 * 0.5 * progress)));
  },
};

describe.each(Object.entries(lambdas))("%s", (lrSchedulerType, factor) => {
  it.each([
    [40, 0],
    [40, 5],
    [40, 39],
    [40, 40],
    [1, 0],
    [7, 1],
  ])("%i steps, %i of them to warm up", (total, warmupSteps) => {
    const rate = lrSchedule(total, { learningRate: 0.003, lrSchedulerType, warmupSteps });
    for (let step = 0; step < total; step++) {
      expect(rate(step)).toBeCloseTo(0.003 * factor(step, warmupSteps, total), 15);
    }
  });
});

describe("options", () => {
  it("a ratio of the steps, rounded up, where there is no number of them", () => {
    const of = (options: object) => lrSchedule(33, { learningRate: 1, ...options })(1);
    expect(of({ warmupRatio: 0.1 })).toBe(of({ warmupSteps: 4 }));
    expect(of({ warmupSteps: 0.1 })).toBe(of({ warmupSteps: 4 }));
    expect(of({ warmupSteps: 2, warmupRatio: 0.1 })).toBe(of({ warmupSteps: 2 }));
  });

  it("those of fromTrl; TRL's defaults where it says nothing", () => {
    const { train } = fromTrl({ learning_rate: 2e-3, lr_scheduler_type: "cosine", warmup_ratio: 0.5 });
    expect([0, 5, 10, 15].map(lrSchedule(20, train))).toEqual([0, 1e-3, 2e-3, 1e-3].map((x) => expect.closeTo(x, 12)));
    expect([0, 5].map(lrSchedule(10, fromTrl({}).train))).toEqual([1e-6, 5e-7]);
  });
});
