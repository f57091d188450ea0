// Whether a machine is busy with others' work: what its processors did, less what we and what we started did.

import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { BenchResult } from "../src/bench/types.ts";
import {
  besideOthers,
  type Counters,
  countersOf,
  type ProcessTimes,
  readStat,
  timeOfTree,
  watchOthers,
} from "../src/cli/bench/others.ts";

/** Counters that have these readings, one after the other. */
const counting = (busy: (number | undefined)[], own: (number | undefined)[], now = [0, 1000]): Counters => ({
  now: () => now.shift() as number,
  busy: () => busy.shift(),
  own: () => own.shift(),
});

describe("processors that others have used", () => {
  test.each([
    ["none, where all that was done was ours", [5000, 7000], [100, 2100], 0],
    ["half a one", [5000, 7500], [100, 2100], 0.5],
    ["none, where clocks of different grain disagree", [5000, 6990], [100, 2100], 0],
    ["unknown, where the system does not say", [undefined, undefined], [100, 2100], undefined],
    ["unknown, where our own are not to be had", [5000, 7000], [100, undefined], undefined],
  ])("are %s", (_, busy, own, expected) => {
    expect(watchOthers(counting(busy, own))()).toBe(expected);
  });
});

describe("our own", () => {
  const times = (pid: number, parent: number, group: number, time: number): ProcessTimes => ({
    pid,
    parent,
    group,
    time,
  });

  test("are of all that we started, also where its parent has ended, and of nobody else", () => {
    const shell = times(10, 1, 10, 100_000);
    const us = times(20, 10, 10, 1);
    // A browser leads a group; one of its processes has lost its parent.
    const browser = [times(30, 20, 30, 10), times(31, 30, 30, 100), times(32, 1, 30, 1000)];
    const others = [times(11, 10, 10, 100_000), times(40, 1, 40, 100_000)];
    expect(timeOfTree(20, [shell, us, ...browser, ...others])).toBe(1111);
  });

  test("are read from lines of /proc, whatever a program is called", () => {
    const rest = "S 7 42 42 0 -1 4194560 1 2 3 4 150 25 1000 200 20 0 1 0";
    expect(readStat(`42 (a) b (c) ${rest}`)).toEqual({ pid: 42, parent: 7, group: 42, time: 13_750 });
    expect(readStat("")).toBeUndefined();
  });

  test.runIf(process.platform === "linux")("count a child while it runs", async () => {
    const child = spawn(process.execPath, ["-e", "for (const end = Date.now() + 20000; Date.now() < end; );"], {
      detached: true,
    });
    try {
      const before = countersOf(true).own() as number;
      await expect.poll(() => countersOf(true).own(), { timeout: 15_000 }).toBeGreaterThan(before + 100);
      const alone = process.cpuUsage();
      expect(countersOf(true).own()).toBeGreaterThan((alone.user + alone.system) / 1000);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe("a result", () => {
  const result = { machine: { cpu: "", cores: 2, platform: "" }, notes: ["a note"] } as unknown as BenchResult;

  test.each([
    ["nothing where others do little", 0.2, 0.3, ["a note"]],
    [
      "what others did before it",
      1.04,
      0.3,
      ["a note", expect.stringMatching(/^a busy machine: others took 1.0 processors just before it began: compare/)],
    ],
    [
      "what they did meanwhile",
      0.1,
      0.75,
      ["a note", expect.stringMatching(/^a busy machine: others took 0.8 processors while it ran: compare/)],
    ],
  ])("says %s", (_, before, during, notes) => {
    const said = besideOthers(result, before, during);
    expect(said.notes).toEqual(notes);
    expect(said.machine.load).toEqual([before, during]);
  });

  test("says no load where nobody knows it", () => {
    expect(besideOthers(result, 0.1, undefined).machine).not.toHaveProperty("load");
  });
});
