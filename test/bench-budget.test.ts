// A run ends in its time, on a slow machine too: it cuts rounds, then cases; and what never answers is left out.

import { describe, expect, test } from "vitest";
import { createBudget } from "../src/bench/budget.ts";
import { selectCases } from "../src/bench/cases/index.ts";
import { generator } from "../src/bench/random.ts";
import { measure, warmUp } from "../src/bench/rounds.ts";
import { timeCase } from "../src/bench/time-case.ts";
import { type Candidate, type Case, type RunOptions, run } from "../src/bench.ts";

const cases = [1, 2, 3, 4].map((k) => ({ name: `case/${k}`, units: 1 }) as Case);

describe("the time of a run", () => {
  test("is shared between its cases; what one leaves is the others'", () => {
    const budget = createBudget(cases, 400, 1000);
    expect(budget.timeOf(cases[0] as Case, 1000)).toEqual({ deadline: 1100, end: 1200 });
    // It took 40 of its 100.
    expect(budget.timeOf(cases[1] as Case, 1040)).toEqual({ deadline: 1160, end: 1280 });
  });

  test("goes by size", () => {
    const work = { bytes: 2 ** 26, flops: 2 ** 29, bound: "bandwidth" } as const;
    const large = { ...(cases[0] as Case), work };
    const budget = createBudget([large, cases[1] as Case], 500, 0);
    expect(budget.timeOf(large, 0)?.deadline).toBe(400);
  });

  test("ends with cases that are left out, where those before them took too long", () => {
    const budget = createBudget(cases, 400, 0);
    expect(budget.timeOf(cases[0] as Case, 0)).toBeDefined();
    // Twice its share: a case of which the first candidates alone are measured takes a part of that.
    expect(budget.timeOf(cases[1] as Case, 200)).toBeDefined();
    expect(budget.timeOf(cases[2] as Case, 380)).toBeUndefined();
    expect(budget.timeOf(cases[3] as Case, 401)).toBeUndefined();
  });
});

/** A clock that moves by the runs alone, and candidates that take so many milliseconds each. */
function place() {
  let time = 0;
  const now = () => time;
  const pass = (milliseconds: number) => {
    time += milliseconds;
  };
  return { now, pass, step: 1e-3 };
}

const [work] = selectCases({ patterns: ["pairs/sigmoid/8"], quick: false }) as [Case];

/** Right without computing: the check is another test's. */
const unchecked = (one: Case): Case => ({
  ...one,
  prepare: () => ({ ...one.prepare(), check: () => ({ value: 0, of: "nothing" }) }),
});

const candidate = (
  name: string,
  given: Partial<Candidate> & { run: () => unknown; close?: () => void },
): Candidate => ({
  name,
  ours: false,
  arrays: "own",
  open: async () => ({ run: given.run, results: () => ({}), ...(given.close ? { close: given.close } : {}) }),
});

const settings = { budget: 1e4, rounds: 20, random: generator(1), deadline: 1e9, end: 1e9, earlier: [] };

describe("rounds", () => {
  test.each([
    [1e4, [20, 20]],
    [2000, [10, 10]],
    [0, [3, 3]],
  ])("are fewer where %d ms are left, but three", async (left, expected) => {
    const { now, pass, step } = place();
    const schedule = await warmUp({ run: () => pass(100), results: () => ({}) }, { now, step });
    const times = await measure([schedule, schedule], { ...settings, now, step, left });
    expect(times.map((list) => list.length)).toEqual(expected);
  });

  test("free garbage after what makes some, and no more often", async () => {
    const { now, pass, step } = place();
    const schedule = await warmUp({ run: () => pass(100), results: () => ({}) }, { now, step });
    let collected = 0;
    const collect = () => void collected++;
    const tidy = { ...schedule, litters: false };
    await measure([tidy, tidy, tidy], { ...settings, now, step, rounds: 5, collect });
    expect(collected).toBe(1);
    await measure([{ ...schedule, litters: true }, tidy], { ...settings, now, step, rounds: 5, collect });
    expect(collected).toBeGreaterThanOrEqual(5);
    expect(collected).toBeLessThanOrEqual(7);
  });
});

describe("a candidate", () => {
  const timed = async (one: Candidate, more: object = {}) => {
    const { now, pass, step } = place();
    const right = candidate("right", { run: () => pass(10) });
    const options = { ...settings, now, step, longest: 1000, patience: 50, ...more };
    const { measured, skipped } = await timeCase(unchecked(work), [one, right], [], options);
    expect(measured.map(({ candidate: { name } }) => name)).toContain("right");
    return { names: measured.map((each) => each.candidate.name), skipped };
  };
  const never = () => new Promise(() => {});
  const left = (why: RegExp) => [{ case: work.name, candidate: "bad", why: expect.stringMatching(why) }];

  test("that is never opened is left out", async () => {
    const { skipped } = await timed({ ...candidate("bad", { run: never }), open: never as Candidate["open"] });
    expect(skipped).toEqual(left(/^no answer within 0.05 s$/));
  });

  test("that never answers is left out", async () => {
    expect((await timed(candidate("bad", { run: never }))).skipped).toEqual(left(/^no answer within 0.05 s$/));
  });

  test("that never answers in its rounds is left out, and so is one that fails there", async () => {
    let runs = 0;
    const late = candidate("bad", { run: () => (runs++ > 80 ? never() : undefined) });
    const real = { now: () => performance.now(), budget: 1e3, deadline: Infinity, end: Infinity };
    const lateRight = timed(late, { ...real, rounds: 400 });
    expect((await lateRight).skipped[0]?.why).toMatch(/no answer within 0.05 s$/);
    let fails = 0;
    const { now, pass, step } = place();
    const failing = candidate("bad", {
      run: () => {
        pass(30);
        if (fails++ > 5) throw new Error("its worker is gone");
      },
    });
    const options = { ...settings, now, step, longest: 1000, patience: 50 };
    const right = candidate("right", { run: () => pass(10) });
    const { measured, skipped } = await timeCase(unchecked(work), [failing, right], [], options);
    expect(skipped).toEqual(left(/^in its rounds: its worker is gone$/));
    expect(measured.map((each) => [each.candidate.name, each.rounds.length])).toEqual([["right", 20]]);
  });

  test("whose first run takes too long is run no more", async () => {
    const { now, pass, step } = place();
    let runs = 0;
    const slow = candidate("bad", {
      run: () => {
        runs++;
        pass(1500);
      },
    });
    const options = { ...settings, now, step, longest: 1000, patience: 50 };
    const { skipped } = await timeCase(unchecked(work), [slow], [], options);
    expect(skipped).toEqual(left(/^a run took 1.5 s; asked for by name, it is measured$/));
    expect(runs).toBe(1);
  });

  test("that there is no time for is not opened, and those after it neither: one line names them", async () => {
    const { now, pass, step } = place();
    const [first, second, third] = ["a", "b", "c"].map((name) => candidate(name, { run: () => pass(60) }));
    const options = { ...settings, now, step, longest: 1000, patience: 50, end: 100 };
    const all = [first, second, third] as Candidate[];
    const { measured, skipped } = await timeCase(unchecked(work), all, [], options);
    expect(measured.map((each) => each.candidate.name)).toEqual(["a"]);
    expect(skipped).toEqual([{ case: work.name, candidate: "all after a", why: expect.stringMatching(/^no time/) }]);
  });

  test("that fails when it is closed costs nobody's figures, nor its own", async () => {
    const close = () => {
      throw new Error("freed twice");
    };
    const { pass } = place();
    const { names, skipped } = await timed(candidate("bad", { run: () => pass(1), close }), {
      now: () => performance.now(),
      rounds: 3,
      budget: 10,
      deadline: Infinity,
      end: Infinity,
    });
    expect(names).toContain("bad");
    expect(skipped).toEqual(left(/^measured, but not closed: freed twice$/));
  });
});

test("a run that has no time left names the cases that it leaves out", async () => {
  let time = 0;
  const slow = candidate("slow", {
    run: () => {
      time += 900;
    },
  });
  // The clock moves when it is read, too, so that it is none that stands still; the loops of calibration would never be warm by it.
  const calibrationModule = () => Promise.reject(new Error("no loops"));
  const options: RunOptions = {
    candidates: [slow],
    quick: true,
    calibrationModule,
    total: 3000,
    now: () => (time += 0.01),
    rounds: 3,
  };
  const parts: number[] = [];
  const { skipped, figures } = await run({ ...options, onPart: ({ skipped: all }) => void parts.push(all.length) });
  expect(figures).toEqual([]);
  const out = skipped.filter(({ candidate: name }) => name === "all candidates");
  expect(out.length).toBeGreaterThan(0);
  for (const { why } of out) expect(why).toMatch(/^no time was left for it/);
  expect(parts.length).toBeGreaterThan(0);
});
