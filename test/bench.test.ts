// A benchmark: what a result holds, in which order candidates have their turns, and that nothing is timed whose results are wrong.

import { describe, expect, test } from "vitest";
import { selectCases } from "../src/bench/cases/index.ts";
import { notesOn } from "../src/bench/figures.ts";
import { generator } from "../src/bench/random.ts";
import { measure, warmUp } from "../src/bench/rounds.ts";
import { summarise } from "../src/bench/statistics.ts";
import {
  allCases,
  type BenchResult,
  type Candidate,
  ours,
  type Problem,
  type RunOptions,
  run,
  runtimeName,
  toBencher,
  toCsv,
  toResultFile,
} from "../src/bench.ts";
import { DpoError } from "../src/errors.ts";

const tiny = [
  "pairs/sigmoid/37",
  "pairs/ipo/37",
  "rows/kto/37",
  "logits/forward/6x33",
  "logits/both/6x33",
  "logits/both-f16/6x33",
  "logits/both-bf16/64x33",
  "linear/forward/6x8x33",
  "linear/both/64x8x33",
  "optimiser/adamw/37",
  "optimiser/sgd/37",
  "optimiser/clip/37",
  "pool/logits/6x33",
  "pool/pairs/37",
  "pool/linear/6x8x33",
  "start/create/8",
];

const all = await ours({ workers: 2 });
const candidates = all.filter((item): item is Candidate => "open" in item);
const settings = { budget: 10, rounds: 3 } satisfies Partial<RunOptions>;

describe("the cases' references, which are loops of their own in float64", () => {
  test("every kind of case is tried here, but for the one that starts processes", () => {
    const kinds = (names: readonly string[]) => new Set(names.map((name) => name.slice(0, name.lastIndexOf("/"))));
    expect(kinds([...tiny, "start/import/8"])).toEqual(kinds(allCases().map(({ name }) => name)));
  });

  test.each(selectCases({ patterns: tiny, quick: false }).map((work) => [work.name, work] as const))(
    "%s: every backend agrees",
    async (_, work) => {
      const problem = work.prepare();
      let count = 0;
      for (const candidate of candidates) {
        const opened = await candidate.open(work, problem);
        if (!opened) continue;
        count++;
        opened.prepare?.();
        await opened.run();
        const { value } = problem.check(await opened.results());
        expect(value).toBeLessThan(5e-6);
        await opened.close?.();
      }
      expect(count).toBeGreaterThanOrEqual(2);
    },
  );
});

describe("cases", () => {
  const names = (...patterns: string[]) => selectCases({ patterns, quick: false }).map(({ name }) => name);

  test("are those of the table, or of any shape by name", () => {
    expect(names("pairs/sigmoid/8*")).toEqual(["pairs/sigmoid/8"]);
    expect(names("logits/{forward,both}/512x*")).toEqual(["logits/forward/512x32000", "logits/both/512x32000"]);
    expect(names("pairs/sigmoid/3", "pairs/sigmoid/3", "pairs/ipo/5")).toEqual(["pairs/sigmoid/3", "pairs/ipo/5"]);
  });

  test("of a quick run are a part of all", () => {
    const quick = selectCases({ quick: true }).map(({ name }) => name);
    const whole = selectCases({ quick: false }).map(({ name }) => name);
    expect(quick.filter((name) => !whole.includes(name))).toEqual([]);
    expect(quick.length).toBeLessThan(whole.length);
  });

  test.each([
    ["nonsense/8", "cases: expected one of pairs/sigmoid/…"],
    ["nonsense/*", "cases: expected the name of a case, or a pattern of some, got nonsense/*"],
    ["pairs/sigmoid/x", "cases: expected pairs, as in pairs/sigmoid/8, got pairs/sigmoid/x"],
    ["pairs/sigmoid/0", "cases: expected pairs, as in pairs/sigmoid/8, got pairs/sigmoid/0"],
    ["logits/both/64", "cases: expected rows x vocabulary, as in logits/both/64x32000, got logits/both/64"],
    ["logits/both/3x9", "cases: expected rows x vocabulary, an even number of rows, got logits/both/3x9"],
  ])("%s is refused", (pattern, message) => {
    expect(() => names(pattern)).toThrow(DpoError);
    expect(() => names(pattern)).toThrow(message);
  });
});

describe("a result", () => {
  let result: BenchResult;
  test("holds a figure of every candidate that has a form of the case", async () => {
    const progress: number[] = [];
    result = await run({
      ...settings,
      candidates: all,
      cases: ["pairs/sigmoid/8", "linear/both/6x8x33"],
      seed: 7,
      machine: { cpu: "a processor", platform: "a platform" },
      onProgress: ({ done }) => void progress.push(done),
    });
    const { schema, machine, runtime, versions, limits, figures } = result;
    expect({ schema, ...result.settings }).toEqual({ schema: 1, quick: false, seed: 7, rounds: 3 });
    expect(machine).toMatchObject({ cpu: "a processor", platform: "a platform" });
    expect(runtime).toMatchObject({ name: "node", version: process.versions.node });
    expect(runtime.clockStep).toBeGreaterThan(0);
    expect(versions).toHaveProperty("dpo-kernels");
    expect(limits.bandwidth).toBeGreaterThan(0);
    expect(limits.plain).toBeGreaterThan(0);
    const keys = figures.map((figure) => [figure.case, figure.candidate, figure.arrays].join());
    const backends = ["plain,allocate", "plain,own", "relaxed,allocate", "relaxed,own", "js,own"];
    expect(keys).toEqual(
      ["pairs/sigmoid/8", "linear/both/6x8x33"].flatMap((name) => backends.map((backend) => `${name},${backend}`)),
    );
    for (const figure of figures) {
      const { median, lower, upper, min } = summarise(figure.rounds);
      expect(figure).toMatchObject({ median, lower, upper, min, ours: true });
      expect(figure.rounds.length).toBeGreaterThanOrEqual(1);
      expect(figure.min).toBeGreaterThan(0);
      expect(figure.error.value).toBeLessThan(1e-5);
      expect(figure.share?.of).toBe(figure.group === "pairs" ? "bandwidth" : "multiply-add");
      expect(figure.work).toStrictEqual(selectCases({ patterns: [figure.case], quick: false })[0]?.work);
      expect(figure.work?.bound).toBe(figure.share?.of);
      // What a backend needs beside its arrays: some pages at least, which are no arrays' of these sizes.
      if (figure.candidate !== "js") expect(figure.scratch).toBeGreaterThan(65_535);
    }
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  test("is the same after JSON, with fractions of five digits", () => {
    const read = JSON.parse(toResultFile(result)) as BenchResult;
    const shortened = JSON.parse(JSON.stringify(result), (_, value: unknown) =>
      typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value,
    );
    expect(read).toEqual(shortened);
  });

  test("is the same in Bencher's JSON: nanoseconds of one run", () => {
    const read = JSON.parse(JSON.stringify(toBencher([result])));
    expect(Object.keys(read)).toHaveLength(result.figures.length);
    for (const figure of result.figures) {
      const { latency } = read[`${figure.case}:${figure.candidate}:${figure.arrays}`];
      expect(latency.value / figure.units).toBeCloseTo(figure.median, 8);
      expect(latency.lower_value / figure.units).toBeCloseTo(figure.lower, 8);
      expect(latency.upper_value / figure.units).toBeCloseTo(figure.upper, 8);
    }
    const [name = ""] = Object.keys(toBencher([result, result]));
    expect(name.endsWith(`:${runtimeName(result)}`)).toBe(true);
  });

  test("is the same in CSV", () => {
    const quoted = { ...result, machine: { ...result.machine, cpu: 'a "quick", cool one' } };
    const [header = [], ...rows] = readCsv(toCsv([quoted]));
    expect(rows).toHaveLength(result.figures.length);
    rows.forEach((row, k) => {
      const read = Object.fromEntries(header.map((name, column) => [name, row[column]]));
      const figure = result.figures[k] as BenchResult["figures"][number];
      expect(read["cpu"]).toBe(quoted.machine.cpu);
      expect([read["case"], read["candidate"], read["arrays"]]).toEqual([figure.case, figure.candidate, figure.arrays]);
      expect(Number(read["median_ns"])).toBe(figure.median);
      expect(Number(read["error"])).toBe(figure.error.value);
      expect(read["error_of"]).toBe(figure.error.of);
      expect(read["scratch_bytes"]).toBe(String(figure.scratch ?? ""));
    });
  });
});

/** RFC 4180. */
function readCsv(text: string): string[][] {
  const lines = text.split("\r\n").filter((line) => line !== "");
  return lines.map((line) =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, inQuotes, plain = ""]) => inQuotes?.replaceAll('""', '"') ?? plain,
    ),
  );
}

/** A candidate of losses of pairs that gives what it is told to. */
function candidate(name: string, give: (right: Record<string, ArrayLike<number> | number>) => object) {
  const counts = { runs: 0, closed: 0 };
  const made: Candidate = {
    name,
    ours: false,
    arrays: "fresh",
    version: "1.2.3",
    async open(_, problem: Problem) {
      const [js] = candidates.filter((other) => other.name === "js");
      const opened = await js?.open(selectCases({ patterns: ["pairs/sigmoid/8"], quick: false })[0] as never, problem);
      await opened?.run();
      const right = (await opened?.results()) as Record<string, ArrayLike<number> | number>;
      return {
        run: () => void counts.runs++,
        results: () => give(right) as typeof right,
        close: () => void counts.closed++,
      };
    },
  };
  return { made, counts };
}

describe("what is wrong is not timed", () => {
  const changed = (of: ArrayLike<number> | number | undefined, at: number, to: (x: number) => number) =>
    Array.from(of as ArrayLike<number>, (x, i) => (i === at ? to(x) : x));
  test.each<[string, Parameters<typeof candidate>[1], RegExp]>([
    [
      "a loss",
      (right) => ({ ...right, losses: changed(right["losses"], 3, (x) => x * 1.001) }),
      /losses\[3\]: expected/,
    ],
    [
      "no number",
      (right) => ({ ...right, losses: changed(right["losses"], 7, () => Number.NaN) }),
      /losses\[7\]:.*NaN/,
    ],
    ["a sign", (right) => ({ ...right, gradChosen: changed(right["gradChosen"], 5, (x) => -x) }), /gradChosen\[5\]/],
    ["a mean", (right) => ({ ...right, loss: 2 * (right["loss"] as number) }), /loss: expected/],
    ["too few", (right) => ({ ...right, gradRejected: [1] }), /gradRejected: expected 8 numbers, got 1/],
    ["nothing", () => ({}), /losses: expected 8 numbers, got undefined/],
  ])("%s", async (_, give, why) => {
    const { made, counts } = candidate("a peer", give);
    const { figures, skipped } = await run({ ...settings, candidates: [made], cases: ["pairs/sigmoid/8"] });
    expect(figures).toEqual([]);
    expect(skipped).toEqual([
      { case: "pairs/sigmoid/8", candidate: "a peer", why: expect.stringMatching(/^wrong, and so not timed: /) },
    ]);
    expect(skipped[0]?.why).toMatch(why);
    expect(counts).toEqual({ runs: 1, closed: 1 });
  });

  test("what is right is timed, and its version noted", async () => {
    const { made, counts } = candidate("a peer", (right) => right);
    const { figures, versions } = await run({ ...settings, candidates: [made], cases: ["pairs/sigmoid/8"] });
    expect(figures.map((figure) => [figure.candidate, figure.ours])).toEqual([["a peer", false]]);
    expect(versions["a peer"]).toBe("1.2.3");
    expect(counts.runs).toBeGreaterThan(3);
    expect(counts.closed).toBe(1);
  });

  test("what fails is named, and so is what cannot take part; the others are measured", async () => {
    const { made } = candidate("a peer", (right) => right);
    const failing: Candidate = { ...made, name: "failing", open: () => Promise.reject(new Error("no such kernel")) };
    const absent = { candidate: "absent", why: "npm install absent" };
    const result = await run({ ...settings, candidates: [failing, absent, made], cases: ["pairs/sigmoid/8"] });
    expect(result.figures.map((figure) => figure.candidate)).toEqual(["a peer"]);
    expect(result.skipped).toEqual([absent, { case: "pairs/sigmoid/8", candidate: "failing", why: "no such kernel" }]);
  });
});

describe("rounds", () => {
  /** A clock that moves by the runs alone: one of each candidate takes so many milliseconds. */
  async function rounds(seed: number, durations: readonly number[], budget: number) {
    let time = 0;
    const order: number[] = [];
    const clock = { now: () => time, step: 1e-3 };
    const schedules = [];
    for (const [k, duration] of durations.entries()) {
      const run = () => {
        time += duration;
        order.push(k);
      };
      schedules.push(await warmUp({ run, results: () => ({}) }, clock));
    }
    order.length = 0;
    const times = await measure(schedules, { ...clock, budget, rounds: 6, random: generator(seed) });
    // Turns in their order: the runs of one that follow each other.
    const turns = order.filter((k, at) => k !== order[at - 1]);
    return { times, turns };
  }

  test("go in another order each, which the seed decides", async () => {
    const durations = [50, 50, 50, 50, 50];
    const { turns, times } = await rounds(1, durations, 1e6);
    expect(times.map((list) => list.length)).toEqual([6, 6, 6, 6, 6]);
    expect((await rounds(1, durations, 1e6)).turns).toEqual(turns);
    expect((await rounds(2, durations, 1e6)).turns).not.toEqual(turns);
    for (const list of times) for (const time of list) expect(time).toBeCloseTo(50e6, -1);
  });

  test("have every candidate once, in shuffled order", async () => {
    let time = 0;
    const order: number[] = [];
    const clock = { now: () => time, step: 1e-3 };
    const schedules = [];
    for (const k of [0, 1, 2, 3]) {
      const run = () => {
        time += 200;
        order.push(k);
      };
      schedules.push(await warmUp({ run, results: () => ({}) }, clock));
    }
    order.length = 0;
    await measure(schedules, { ...clock, budget: 1e6, rounds: 6, random: generator(1) });
    const each = Array.from({ length: 6 }, (_, round) => order.slice(4 * round, 4 * round + 4));
    for (const round of each) expect([...round].sort()).toEqual([0, 1, 2, 3]);
    expect(new Set(each.map(String)).size).toBeGreaterThan(2);
  });

  test("are fewer for what is slow: three, or one where those alone take too long", async () => {
    const { times } = await rounds(1, [50, 300, 5000], 2000);
    expect(times.map((list) => list.length)).toEqual([6, 3, 1]);
  });

  test("are prepared before every run, untimed", async () => {
    let [time, prepared, runs] = [0, 0, 0];
    const clock = { now: () => time, step: 1e-3 };
    const opened = {
      prepare() {
        prepared++;
        time += 1000;
      },
      run() {
        runs++;
        time += 2;
      },
      results: () => ({}),
    };
    const schedule = await warmUp(opened, clock);
    const [times] = await measure([schedule], { ...clock, budget: 1e6, rounds: 4, random: generator(1) });
    expect(times).toEqual([2e6, 2e6, 2e6, 2e6]);
    expect(prepared).toBe(runs);
  });

  test("take the word of what times itself", async () => {
    let time = 0;
    const clock = { now: () => time, step: 1e-3 };
    const run = async () => {
      time += 500;
      return { elapsed: 3 };
    };
    const schedule = await warmUp({ run, results: () => ({}) }, clock);
    const [times] = await measure([schedule], { ...clock, budget: 1e6, rounds: 4, random: generator(1) });
    expect(times).toEqual([3e6, 3e6, 3e6, 3e6]);
  });
});

test("quartiles lie between the two nearest values", () => {
  expect(summarise([4, 1, 3, 2])).toEqual({ lower: 1.75, median: 2.5, upper: 3.25, min: 1 });
  expect(summarise([5])).toEqual({ lower: 5, median: 5, upper: 5, min: 5 });
});

describe("notes", () => {
  const steady = [{ of: "plain" as const, rates: [10, 10, 10.1, 9.9] }];
  test.each([
    ["nothing of a quiet machine", { calibrated: steady, step: 0.005 }, []],
    [
      "a processor that is shared",
      { calibrated: [{ of: "plain" as const, rates: [10, 4, 9, 5] }], step: 0.005 },
      [/^an uneven machine: the loop of calibration varied by/],
    ],
    ["a coarse clock", { calibrated: steady, step: 1 }, [/^the clock moves in steps of 1 ms/]],
  ])("%s", (_, given, expected) => {
    expect(notesOn(given)).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});
