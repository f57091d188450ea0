// The ratios that the library's specification requires, and whether a run reached them.

import { type Figures, type Pass, timesAsLong } from "./figures.ts";
import type { Place } from "./ours.ts";

/** A peer must take at least this many times as long as ours, plain and relaxed. */
interface Target {
  place: Place;
  form: "into out" | "in place";
  peer: string;
  least: Partial<Record<Pass, readonly [plain: number, relaxed: number]>>;
}

const own = { place: "own arrays", form: "into out" } as const;
const allocated = { place: "allocate", form: "in place" } as const;
const faster = { forward: [1, 1], both: [1, 1] } as const;

const targets: readonly Target[] = [
  {
    ...own,
    peer: "onnxruntime-web, log-softmax",
    least: { forward: [3, 3.3], backward: [3.8, 4.3], both: [3.5, 4] },
  },
  { ...own, peer: "tfjs-wasm, autograd", least: { both: [15, 15] } },
  { ...own, peer: "onnxruntime-node (native), log-softmax", least: faster },
  { ...own, peer: "PyTorch (native), autograd", least: faster },
  {
    ...allocated,
    peer: "onnxruntime-web, log-softmax",
    least: { forward: [3, 3.4], backward: [6, 7], both: [5, 6] },
  },
];

/** The opposite bound: a problem may take at most this many times as long as ordinary float32. */
export const most = { half: 1.25, adverse: 1.3 };

export interface Verdict {
  what: string;
  build: Build;
  required: number;
  measured: number;
  met: boolean;
}

export const builds = ["plain", "relaxed"] as const;
export type Build = (typeof builds)[number];

export function judge(ours: readonly Figures[], peers: readonly Figures[]): Verdict[] {
  return targets.flatMap(({ place, form, peer: peerName, least }) => {
    const peer = peers.find(({ name }) => name === peerName);
    // A native library that is not installed here.
    if (!peer) return [];
    return Object.entries(least).flatMap(([pass, required]) =>
      builds.map((build, i) => {
        const row = ours.find(({ name }) => name === `${build}, ${place}, ${form}`) as Figures;
        const measured = timesAsLong(peer, row)[pass as Pass];
        const least = required[i] as number;
        return {
          what: `${place}, ${form}: ${pass} against ${peerName}`,
          build,
          required: least,
          measured,
          met: measured >= least,
        };
      }),
    );
  });
}
