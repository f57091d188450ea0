// `bench --compare`: what is slower is found, and a build compared with itself is not, on a machine that does other things too.

import { describe, expect, test } from "vitest";
import { type Comparison, compareBuilds, compareResults } from "../src/bench/compare.ts";
import { ratioOf, tail, tailPoint } from "../src/bench/ratio.ts";
import { type Noise, resultOf, runOf, type Series } from "./support/rounds.ts";

const FIGURES = 30;
const PLANTED = "case-7";

/** Cases in two builds: `slower` times as long in the second, where it was planted. */
const builds = (slower: number): Series[] =>
  ["", "@new"].flatMap((mark) =>
    Array.from({ length: FIGURES }, (_, i) => ({
      case: `case-${i}`,
      candidate: `relaxed${mark}`,
      time: (1 + i) * (mark !== "" && `case-${i}` === PLANTED ? slower : 1),
    })),
  );

const one = (slower: number): Series[] =>
  builds(slower)
    .slice(FIGURES)
    .map((series) => ({ ...series, candidate: "relaxed" }));

const together = (slower: number, seed: number, rounds = 60, noise: Noise = {}): Comparison =>
  compareBuilds([runOf(builds(slower), rounds, seed, noise)], ["", "new"]);

function apart(slower: number, seed: number, runs = 5, noise: Noise = { between: 0.02 }): Comparison {
  const side = (from: number, series: Series[]) =>
    Array.from({ length: runs }, (_, run) => runOf(series, 20, from + run, noise));
  return compareResults(side(1000 * seed, one(1)), side(1000 * seed + 500, one(slower)));
}

const found = ({ changes }: Comparison): string[] =>
  changes.flatMap(({ case: name, verdict }) =>
    verdict === "slower" || verdict === "faster" ? [`${name} ${verdict}`] : [],
  );

const noises: readonly [string, Noise][] = [
  ["a quiet machine", { busy: 0, drift: 0.02 }],
  ["a third of the rounds disturbed", { busy: 0.3 }],
  ["half of the rounds disturbed, and a drift", { busy: 0.5, drift: 0.3 }],
];

/** Comparisons, of FIGURES each, that found something. */
const alarms = (compare: (seed: number) => Comparison): string[] =>
  Array.from({ length: 15 }, (_, seed) => found(compare(seed))).flat();

describe("builds that take turns", () => {
  test.each(noises)("compared with themselves nothing is found: %s", (_, noise) => {
    expect(alarms((seed) => together(1, seed, 60, noise))).toStrictEqual([]);
  });

  test.each(noises.slice(0, 2))(
    "a slow-down by 3 of 20 is found, nothing else is, and the interval holds it: %s",
    (_, noise) => {
      for (let seed = 0; seed < 10; seed++) {
        const comparison = together(1.15, seed, 150, noise);
        expect(found(comparison)).toStrictEqual([`${PLANTED} slower`]);
        const change = comparison.changes.find(({ case: name }) => name === PLANTED);
        expect(change?.lower).toBeLessThan(1.15);
        expect(change?.upper).toBeGreaterThan(1.15);
        expect(change?.confidence).toBeGreaterThan(0.99);
      }
    },
  );

  test("what noise hides is unclear, not unchanged", () => {
    const { changes } = together(1, 1, 8, { busy: 0.5, drift: 0.3 });
    expect(changes.filter(({ verdict }) => verdict === "unclear").length).toBeGreaterThan(FIGURES / 2);
    const { changes: few } = together(1.5, 1, 4);
    expect(new Set(few.map(({ verdict }) => verdict))).toStrictEqual(new Set(["unclear"]));
  });

  test("each further look makes the intervals wider", () => {
    const run = runOf(builds(1), 60, 1);
    const width = (looks: number) => {
      const [change] = compareBuilds([run], ["", "new"], { looks }).changes;
      return (change?.upper ?? 0) / (change?.lower ?? 0);
    };
    expect(width(6)).toBeGreaterThan(width(1));
  });

  test("peers and other builds are left alone", () => {
    const run = runOf(builds(1), 20, 1);
    const peer = run.figures.map((figure) => ({ ...figure, candidate: "torch", ours: false }));
    const other = run.figures.map((figure) => ({ ...figure, candidate: `${figure.candidate}@old` }));
    const comparison = compareBuilds([{ ...run, figures: [...run.figures, ...peer, ...other] }], ["", "new"]);
    expect(comparison.changes.length).toBe(FIGURES);
    expect(comparison.missing).toStrictEqual([]);
  });
});

test("why a build lacks a figure is said, of that build alone", () => {
  const run = runOf(builds(1), 20, 1);
  const isWrong = ({ candidate, case: name }: { candidate: string; case: string }) =>
    candidate === "relaxed@new" && name === PLANTED;
  const skipped = ["@new", "@old"].map((mark) => ({ case: PLANTED, candidate: `relaxed${mark}`, why: `wrong${mark}` }));
  const lost = { ...run, figures: run.figures.filter((figure) => !isWrong(figure)), skipped };
  const { changes, missing } = compareBuilds([lost], ["", "new"]);
  expect(changes.length).toBe(FIGURES - 1);
  expect(missing).toStrictEqual([`node 26: ${PLANTED}, relaxed, allocate; the other: wrong@new`]);
  const none = { case: "case-99", candidate: "all candidates", why: "no time" };
  const both = { case: "case-98", candidate: "relaxed@new", why: "wrong" };
  expect(compareBuilds([{ ...lost, skipped: [...skipped, none, both] }], ["", "new"]).skipped).toStrictEqual([
    none,
    both,
  ]);
  const absent = { ...run, figures: run.figures.filter(({ candidate }) => candidate === "relaxed") };
  const cannot = { ...absent, skipped: [{ candidate: "relaxed@new", why: "no such instruction" }] };
  expect(compareBuilds([cannot], ["", "new"]).missing[0]).toBe(
    "node 26: case-0, relaxed, allocate; the other: no such instruction",
  );
});

describe("runs at different times", () => {
  test("compared with themselves nothing is found", () => {
    expect(alarms((seed) => apart(1, seed))).toStrictEqual([]);
    expect(alarms((seed) => apart(1, seed, 1))).toStrictEqual([]);
  });

  test("15 % slower and as much faster is found in five runs of each", () => {
    for (let seed = 0; seed < 5; seed++) {
      const noise = { busy: 0.1, drift: 0.02, between: 0.02 };
      expect(found(apart(1.15, seed, 5, noise))).toStrictEqual([`${PLANTED} slower`]);
      expect(found(apart(1 / 1.15, seed, 5, noise))).toStrictEqual([`${PLANTED} faster`]);
    }
  });

  test("a machine that its calibration calls slower proves nothing, in either direction", () => {
    const calm = { busy: 0, drift: 0 };
    const slower = (limits: { bandwidth: number; plain: number }) =>
      compareResults(
        [runOf(one(1), 40, 1, calm)],
        [
          {
            ...runOf(
              one(1).map((all) => ({ ...all, time: all.time * 1.3 })),
              40,
              2,
              calm,
            ),
            limits,
          },
        ],
      );
    const half = { bandwidth: 10 / 1.3, plain: 20 / 1.3 };
    expect(found(slower({ bandwidth: 10, plain: 20 })).length).toBe(FIGURES);
    expect(found(slower(half))).toStrictEqual([]);
  });

  test("where the loop of calibration does not run, nothing is judged by it", () => {
    const none = { bandwidth: 0, plain: 0 };
    const side = (slower: number) => ({ ...runOf(one(slower), 40, 1, { busy: 0 }), limits: none });
    expect(found(compareResults([side(1)], [side(2)]))).toStrictEqual([`${PLANTED} slower`]);
  });

  test("times of 0, as a coarse clock may give, are unclear", () => {
    const [figure] = runOf(one(1), 8, 1).figures;
    if (!figure) throw new Error("no figure");
    const still = resultOf([{ ...figure, lower: 0, rounds: figure.rounds.map(() => 0) }]);
    for (const [before, after] of [
      [still, resultOf([figure])],
      [resultOf([figure]), still],
      [still, still],
    ] as const) {
      const { changes } = compareResults([before], [after]);
      expect(changes.map(({ verdict, confidence }) => [verdict, confidence])).toStrictEqual([["unclear", 0]]);
    }
  });

  test("a machine is compared with itself alone, and the processor's time with its like", () => {
    const run = runOf(one(1), 20, 1);
    const fast = runOf(one(0.5), 20, 1);
    const on = (result: typeof run, cpu: string) => ({ ...result, machine: { ...result.machine, cpu } });
    const { changes, missing } = compareResults([on(run, "A"), on(run, "B")], [on(run, "A"), on(fast, "C")]);
    expect(new Set(changes.map(({ runtime }) => runtime))).toStrictEqual(new Set(["node 26 on A, linux x64"]));
    expect(new Set(changes.map(({ verdict }) => verdict))).not.toContain("faster");
    expect([changes.length, missing.length]).toStrictEqual([FIGURES, 2 * FIGURES]);
    const timed = { ...run, settings: { ...run.settings, processorTime: true } };
    expect(compareResults([run], [timed]).changes).toStrictEqual([]);
    expect(compareResults([timed], [timed]).changes.length).toBe(FIGURES);
  });

  test("figures that one side lacks are named, and runtimes kept apart", () => {
    const run = runOf(one(1), 20, 1);
    const deno = { ...run, runtime: { ...run.runtime, name: "deno" } };
    const { changes, missing } = compareResults([run, deno], [resultOf(run.figures.slice(1)), deno]);
    expect(changes.length).toBe(2 * FIGURES - 1);
    expect(missing).toStrictEqual(["node 26: case-0, relaxed, allocate"]);
  });
});

describe("statistics", () => {
  test("Student's tails, as tables have them", () => {
    const table: [chance: number, freedom: number, t: number][] = [
      [0.025, 4, 2.776],
      [0.025, 19, 2.093],
      [0.005, 9, 3.25],
      [0.0005, 19, 3.883],
      [0.0005, 1e6, 3.291],
    ];
    for (const [chance, freedom, t] of table) {
      expect(Math.abs(tailPoint(chance, freedom) / t - 1)).toBeLessThan(0.005);
      expect(Math.abs(tail(t, freedom) / chance - 1)).toBeLessThan(0.02);
    }
  });

  test("the same rounds are a ratio of 1 without error; a factor is found whatever the order of the rounds", () => {
    const rounds = [3, 1, 2, 5, 4, 9, 7];
    expect(ratioOf(rounds, rounds, true)).toStrictEqual({ log: 0, error: 0, freedom: 6 });
    const twice = ratioOf(
      rounds,
      rounds.map((time) => 2 * time),
      true,
    );
    expect(twice?.log).toBeCloseTo(Math.log(2), 12);
    expect(twice?.error).toBeLessThan(1e-12);
    expect(ratioOf(rounds.slice(0, 4), rounds, false)).toBeUndefined();
  });
});
