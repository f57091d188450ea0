// dpo-kernels/bench: how fast this package is in the runtime that asks, beside others, and how exact.

import type { Library } from "./bench/candidates/library.ts";
import { type OursOptions, ours as oursOf } from "./bench/candidates/ours.ts";
import type { Candidate, Skipped } from "./bench/types.ts";
import { createJs, createWasm } from "./index.ts";
import { createPool } from "./pool.ts";
import { adamw, adamwState, clipGradNorm, sgd, sgdState } from "./train.ts";
import { createWebGpu, hasRealGpu } from "./webgpu.ts";

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

/** Behind a function: bundlers would take it for a file to copy. */
const indexUrl = (): string =>
  new URL(import.meta.url.endsWith(".ts") ? "./index.ts" : "./index.js", import.meta.url).href;

async function createRealGpu() {
  if (!(await hasRealGpu()))
    throw new Error("no GPU here, or software that plays one, whose times are the processor's");
  return createWebGpu();
}

/** Candidates of this package: each backend that runs here, and for the others the reason why not. */
export const ours = (options?: OursOptions): Promise<(Candidate | Skipped)[]> => {
  const train = { adamw, adamwState, sgd, sgdState, clipGradNorm };
  return oursOf({ createWasm, createJs, createPool, createWebGpu: createRealGpu, train, index: indexUrl() }, options);
};

/** Candidates of another build of the package, given as its module, `await import(…)`; their names end in `suffix`. */
export const oursOfBuild = (library: Library, suffix: string): Promise<(Candidate | Skipped)[]> =>
  oursOf(library, { suffix });
