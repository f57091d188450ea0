// How much of the machine others take: what its processors did, less what this process and those that it has started did. The load
// average would not tell, since it remembers our own last runtime for a minute.

import { readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { busyNote } from "../../bench/figures.ts";
import type { BenchResult } from "../../bench/types.ts";

/** Milliseconds that count up. Undefined where the system does not say. */
export interface Counters {
  /** Of the clock. */
  now(): number;
  /** Of all processors at work, for anybody. */
  busy(): number | undefined;
  /** Of processors at work for this process and all that it has started. */
  own(): number | undefined;
}

/** Starts to watch; the function gives how many processors others have used since, on average. */
export function watchOthers(counters: Counters): () => number | undefined {
  const [now, busy, own] = [counters.now(), counters.busy(), counters.own()];
  return () => {
    const [busyNow, ownNow] = [counters.busy(), counters.own()];
    const wall = counters.now() - now;
    if (busy === undefined || own === undefined || busyNow === undefined || ownNow === undefined || wall <= 0) return;
    return Math.max(0, (busyNow - busy - (ownNow - own)) / wall);
  };
}

/** `children`: whether what it has started counts, which Linux alone tells while they run; elsewhere there is nothing to say then. */
export const countersOf = (children: boolean): Counters => ({
  now: () => performance.now(),
  busy() {
    const sum = cpus().reduce((all, { times: { user, nice, sys, irq } }) => all + user + nice + sys + irq, 0);
    return sum > 0 ? sum : undefined;
  },
  own() {
    if (children) return treeTime();
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
});

/** Milliseconds of the pause in which nothing of ours runs. */
const LOOK = 500;

/** Processors that others use right now. */
export async function othersNow(counters: Counters = countersOf(false)): Promise<number | undefined> {
  const used = watchOthers(counters);
  await new Promise((resolve) => setTimeout(resolve, LOOK));
  return used();
}

/** A process as /proc has it, times in milliseconds. */
export interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Its own, and that of children that have ended. */
  readonly time: number;
}

/** Linux counts in hundredths of a second, whatever its kernel's own clock. */
const TICK = 10;

/** Undefined for what is no such line. */
export function readStat(line: string): ProcessTimes | undefined {
  // The program's name, in parentheses, may have any characters.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [pid, parent, group] = [Number.parseInt(line, 10), Number(fields[1]), Number(fields[2])];
  const time = TICK * fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  return [pid, parent, group, time].every(Number.isFinite) ? { pid, parent, group, time } : undefined;
}

/** A process and all that it has started: by their parents, and by their groups, which those keep whose parents have ended. */
export function timeOfTree(root: number, all: readonly ProcessTimes[]): number {
  const own = new Set([root]);
  const groups = new Set<number>();
  for (let before = 0; before < own.size; ) {
    before = own.size;
    for (const { pid, parent, group } of all) {
      if (own.has(pid) || !(own.has(parent) || groups.has(group))) continue;
      own.add(pid);
      // Those that lead a group: a shell's belongs to others too.
      if (group === pid) groups.add(group);
    }
  }
  return all.reduce((sum, { pid, time }) => sum + (own.has(pid) ? time : 0), 0);
}

function treeTime(): number | undefined {
  try {
    const all = readdirSync("/proc").flatMap((name) => {
      if (!/^\d+$/.test(name)) return [];
      try {
        return readStat(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
      } catch {
        // It has ended meanwhile.
        return [];
      }
    });
    return all.length > 0 ? timeOfTree(process.pid, all) : undefined;
  } catch {
    return undefined;
  }
}

/** Half a processor. */
const QUIET = 0.5;

/** The result, which says what others took, and that the machine was busy where that is much. */
export function besideOthers(result: BenchResult, before: number | undefined, during: number | undefined): BenchResult {
  const reason = (used: number | undefined, when: string): string[] =>
    used !== undefined && used > QUIET ? [`others took ${used.toFixed(1)} processors ${when}`] : [];
  const reasons = [...reason(before, "just before it began"), ...reason(during, "while it ran")];
  const load = before === undefined || during === undefined ? {} : { load: [before, during] as const };
  return { ...result, machine: { ...result.machine, ...load }, notes: [...result.notes, ...busyNote(reasons)] };
}
