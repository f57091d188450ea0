// What an order comes to in this runtime.

import type { Order } from "./remote.ts";
import { type Progress, type RunOptions, run } from "./run.ts";
import type { BenchResult, Candidate, Skipped } from "./types.ts";

interface Place {
  readonly calibrationModule?: RunOptions["calibrationModule"];
  /** This package's backends. */
  ours(): Promise<(Candidate | Skipped)[]>;
}

/** Where the runtime was started so that it shows its collector. */
const { gc } = globalThis as { gc?: () => void };

export async function measureOrder(
  { options, load }: Order,
  { ours, ...place }: Place,
  onProgress: (progress: Progress) => void | Promise<void>,
): Promise<BenchResult> {
  const candidates = await ours();
  return run({
    ...options,
    ...place,
    candidates,
    load: load === undefined ? undefined : () => load,
    collect: gc,
    onProgress,
  });
}
