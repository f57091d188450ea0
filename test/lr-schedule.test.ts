// Learning rates against transformers' get_scheduler, restated.

import { readFileSync } from "node:fs";
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

interface Golden {
  peak: number;
  cases: { type: string; steps: number; warmup: number; kwargs: object; rates: number[] }[];
}

describe("transformers' own rates", () => {
  const golden: Golden = JSON.parse(readFileSync("test/golden/schedules/schedules.json", "utf8"));

  it.each(golden.cases.map((one) => [one.type, one.steps, one.warmup, JSON.stringify(one.kwargs), one] as const))(
    "%s, %i steps, %i of them to warm up, %s",
    (_type, steps, warmup, _kwargs, { type, kwargs, rates }) => {
      const options = {
        learningRate: golden.peak,
        lrSchedulerType: type,
        warmupSteps: warmup,
        lrSchedulerKwargs: kwargs,
      };
      const rate = lrSchedule(steps, options);
      expect(rates.map((_, step) => rate(step))).toEqual(rates.map((want) => expect.closeTo(want, 16)));
    },
  );
});

describe("options", () => {
  it.each([
    ["polynomial", { lr_end: 1 }, /^lrSchedulerKwargs\.lr_end: expected below the rate of 0\.003, got 1/],
    [
      "cosine_with_min_lr",
      {},
      /^lrSchedulerKwargs: expected min_lr or min_lr_rate with cosine_with_min_lr, got nothing/,
    ],
    ["cosine_with_min_lr", { min_lr: 0, min_lr_rate: 0 }, /, got min_lr and min_lr_rate$/],
    ["warmup_stable_decay", {}, /^lrSchedulerKwargs: expected num_decay_steps with warmup_stable_decay, got nothing/],
    [
      "warmup_stable_decay",
      { num_decay_steps: 1, decay_type: "sqrt" },
      /^lrSchedulerKwargs\.decay_type: expected one of linear, cosine, 1-sqrt, got "sqrt"/,
    ],
    ["warmup_stable_decay", { num_decay_steps: 1, decay_type: 1 }, /^lrSchedulerKwargs\.decay_type: expected a string/],
    ["inverse_sqrt", { timescale: 0 }, /^lrSchedulerKwargs\.timescale: expected a number in \(0, /],
  ])("that do not go together are refused: %s %o", (lrSchedulerType, lrSchedulerKwargs, message) => {
    const make = () => lrSchedule(10, { learningRate: 3e-3, lrSchedulerType, lrSchedulerKwargs });
    expect(make).toThrow(message);
  });

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

describe("cycles of the cosine", () => {
  it.each([0.5, 1, 1.5, 2.25])("%d", (num_cycles) => {
    const options = { learningRate: 0.003, lrSchedulerType: "cosine", warmupSteps: 3 };
    const rate = lrSchedule(40, { ...options, lrSchedulerKwargs: { num_cycles } });
    for (let step = 3; step < 40; step++) {
      const progress = (step - 3) / (40 - 3);
      expect(rate(step)).toBeCloseTo(0.003 * 0.5 * (1 + Math.cos(Math.PI * num_cycles * 2 * progress)), 15);
    }
  });

  it("are half a one by default, also where it is given or absent", () => {
    for (const kwargs of [{ num_cycles: 0.5 }, { num_cycles: undefined }, { num_cycles: null }, {}]) {
      const { train } = fromTrl({ lr_scheduler_type: "cosine", lr_scheduler_kwargs: kwargs, learning_rate: 1 });
      for (const step of [0, 7, 19]) {
        expect(lrSchedule(20, train)(step)).toBe(lrSchedule(20, { learningRate: 1, lrSchedulerType: "cosine" })(step));
      }
    }
  });
});

describe("names of transformers' enumeration", () => {
  it.each(Object.keys(lambdas))("%s", (name) => {
    const plain = [0, 3, 9].map(lrSchedule(10, { lrSchedulerType: name, warmupSteps: 4 }));
    const member = `SchedulerType.${name.toUpperCase()}`;
    for (const spelling of [member, `<${member}: '${name}'>`]) {
      expect([0, 3, 9].map(lrSchedule(10, { lrSchedulerType: spelling, warmupSteps: 4 }))).toEqual(plain);
      expect(fromTrl({ lr_scheduler_type: spelling }).train).toStrictEqual({ lrSchedulerType: name });
    }
  });

  it("of optimizers", () => {
    for (const optim of ["adamw_torch", "OptimizerNames.ADAMW_TORCH", "<OptimizerNames.ADAMW_TORCH: 'adamw_torch'>"]) {
      expect(fromTrl({ optim }).train).toStrictEqual({ optim: "adamw_torch" });
    }
  });
});
