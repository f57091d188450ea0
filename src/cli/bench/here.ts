// A benchmark in this process: what Node, Deno and Bun know of the machine that a page does not.

import { availableParallelism, cpus, platform } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { collector, type Gc } from "../../bench/collect.ts";
import {
  type BenchResult,
  type Candidate,
  createPeers,
  librariesAt,
  type RunOptions,
  run,
  type Skipped,
} from "../../bench.ts";
import { startBar } from "../rate-bar.ts";
import { addressesOf, findPeers } from "./find-peers.ts";
import { besideOthers, countersOf, othersNow, watchOthers } from "./others.ts";

export interface HereOptions extends Pick<RunOptions, "quick" | "cases" | "seed" | "budget" | "rounds"> {
  readonly candidates: readonly (Candidate | Skipped)[];
  /** Counts the processor's time in place of the time of day. */
  readonly processorTime?: boolean | undefined;
}

/** Measures, and shows on a terminal how far it has come. */
export async function runHere({ processorTime = false, ...options }: HereOptions): Promise<BenchResult> {
  let bar: ReturnType<typeof startBar> | undefined;
  const before = await othersNow();
  const others = watchOthers(countersOf(false));
  try {
    const measured = await run({
      ...options,
      machine: thisMachine(),
      collect: garbageCollector(),
      ...(processorTime ? { now: processorClock } : {}),
      onProgress({ case: name, cases, figures }) {
        bar ??= startBar(cases, "cases");
        bar.advance(figures ? 1 : 0, true, `, ${name}`);
      },
    });
    const result = besideOthers(measured, before, others());
    if (!processorTime) return result;
    return { ...result, settings: { ...result.settings, processorTime }, notes: [...result.notes, processorNote] };
  } finally {
    bar?.stop();
  }
}

export const thisMachine = (): BenchResult["machine"] => ({
  cpu: cpus()[0]?.model.trim() ?? "",
  cores: availableParallelism(),
  platform: `${platform()} ${process.arch}`,
});

/** The libraries that are installed in or above the folder where the command runs; of the others, how they are. */
export async function peersHere(): Promise<(Candidate | Skipped)[]> {
  const { candidates, skipped } = await createPeers(undefined, librariesAt(addressesOf(findPeers(process.cwd()))));
  return [...candidates, ...skipped];
}

const processorNote =
  "times are of the processor, which on one thread are nearly those of a clock; those of a pool are the sum of its threads'";

function processorClock(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Undefined where the engine keeps it to itself. */
function garbageCollector(): (() => void) | undefined {
  try {
    setFlagsFromString("--expose-gc");
    const gc: unknown = runInNewContext("gc");
    return typeof gc === "function" ? collector(gc as Gc) : undefined;
  } catch {
    return undefined;
  }
}
