// Results of logitsLoss, compared bit by bit.

import type { Floats, LogitsLossResult } from "../../src/types.ts";
import { misses } from "./compare.ts";

const same = (g: number, w: number): number => (Object.is(g, w) ? 0 : Infinity);

/** The results that are arrays of floats. */
export const arrayNames = [
  "losses",
  "gradChosen",
  "gradRejected",
  "chosenRewards",
  "rejectedRewards",
  "logps",
  "tokenLogps",
  "logsumexp",
] as const;

/** The numbers or the bits of floats. */
export const rawOf = (floats: Floats): ArrayLike<number> =>
  "f16" in floats ? floats.f16 : "bf16" in floats ? floats.bf16 : floats;

/** Where two results have other bits, metrics included. */
export function missesOfBits(got: LogitsLossResult, want: LogitsLossResult): string[] {
  const keys = Object.keys(want.metrics);
  const metrics = (result: LogitsLossResult): number[] => keys.map((key) => result.metrics[key] as number);
  return [
    ...misses("loss", [got.loss], [want.loss], same),
    ...arrayNames.flatMap((name) => misses(name, got[name] ?? [], want[name] ?? [], same)),
    ...misses("gradLogits", rawOf(got.gradLogits), rawOf(want.gradLogits), same),
    ...misses(`metrics ${keys}`, metrics(got), metrics(want), same),
  ];
}
