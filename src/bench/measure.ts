// What an order comes to in this runtime.

import { collector, type Gc } from "./collect.ts";
import { createPeers, librariesAt, peerNames } from "./peers/index.ts";
import type { Order } from "./remote.ts";
import { type Progress, type RunOptions, run } from "./run.ts";
import type { BenchResult, Candidate, Skipped } from "./types.ts";

interface Place {
  /** This package's backends. */
  ours(): Promise<(Candidate | Skipped)[]>;
  /** Peers that it cannot have, whatever is installed, and why. */
  readonly lacks?: Readonly<Record<string, string>>;
  readonly calibrationModule?: RunOptions["calibrationModule"];
}

/** Where the runtime was started so that it shows its collector. */
const { gc } = globalThis as { gc?: Gc };

export async function measureOrder(
  { options: { peers: arePeersWanted = true, ...options }, peers }: Order,
  { ours, lacks = {}, calibrationModule }: Place,
  onProgress: (progress: Progress) => void | Promise<void>,
  onPart?: RunOptions["onPart"],
): Promise<BenchResult> {
  const wanted = arePeersWanted ? peerNames : [];
  const names = wanted.filter((name) => !Object.hasOwn(lacks, name));
  const { candidates, skipped } = await createPeers(names, librariesAt(peers));
  const absent = wanted.flatMap((candidate): Skipped[] => {
    const why = lacks[candidate];
    return why === undefined ? [] : [{ candidate, why }];
  });
  return run({
    ...options,
    candidates: [...(await ours()), ...candidates, ...skipped, ...absent],
    calibrationModule,
    collect: gc && collector(gc),
    onProgress,
    onPart,
  });
}
