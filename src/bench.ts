// dpo-kernels/bench: how fast this package is in the runtime that asks, beside others, and how exact.

import { ours as oursOf } from "./bench/candidates/ours.ts";
import type { Candidate, Skipped } from "./bench/types.ts";
import { createJs, createWasm } from "./index.ts";

export { allCases } from "./bench/cases/index.ts";
export {
  type Change,
  type CompareOptions,
  type Comparison,
  compareBuilds,
  compareResults,
  type Verdict,
} from "./bench/compare.ts";
export { type BencherMetrics, keyOf, runtimeName, toBencher, toCsv, toResultFile } from "./bench/exchange.ts";
export { createPeers, type Libraries, librariesAt, pageModules, peerNames } from "./bench/peers/index.ts";
export { type Progress, type RunOptions, run } from "./bench/run.ts";
export type * from "./bench/types.ts";

/** This package's backends, those that run here; for the others why not. */
export const ours = (): Promise<(Candidate | Skipped)[]> => oursOf({ createWasm, createJs });
