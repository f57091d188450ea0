// The kernels that are printed: every loss that has one of its own, and the margins of the f-divergences.

import { readFileSync } from "node:fs";
import { lossTable } from "../../src/losses/index.ts";
import type { LossRecord } from "../../src/losses/kinds.ts";
import { type Kernel, lossKernel, marginKernel, type Variant } from "../../src/print/kernel.ts";
import { exportedFunction, type Source } from "../../src/print/source.ts";

const source = (file: string): Source => ({
  file,
  text: readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"),
});

const divergences = source("src/plan/divergences.ts");
const perToken = exportedFunction(divergences, "reverseKl");
const alphapoRewards = exportedFunction(divergences, "alphapoRewards");

const printed = (loss: LossRecord, variant?: Variant): Kernel =>
  lossKernel(loss, source(`src/losses/${loss.id.replaceAll("_", "-")}.ts`), perToken, variant);

export const kernels: readonly Kernel[] = [
  // Losses that couple the pairs have no kernel of their own: AOT's is that of the margin loss around which it sorts.
  ...Object.values(lossTable)
    .filter(({ batch, formula }, i, all) => {
      // A formula that several losses share is printed once.
      return batch === undefined && all.findIndex((other) => other.formula === formula) === i;
    })
    .map((loss) => printed(loss)),
  marginKernel("js", exportedFunction(divergences, "jsDivergence"), []),
  marginKernel("power", exportedFunction(divergences, "powerDivergence"), ["k", "cap", "unit", "slopeUnit"]),
  marginKernel("js_anchored", exportedFunction(divergences, "jsAnchored"), []),
  marginKernel("power_anchored", exportedFunction(divergences, "powerAnchored"), ["k", "cap", "unit", "slopeUnit"]),
  marginKernel("alphapo", alphapoRewards, ["k", "unit", "slopeUnit"]),
  marginKernel("alphapo_mean", alphapoRewards, ["k", "unit", "slopeUnit"], perToken),
];

/** Kernels of the processor for what most calls ask: the default loss without label smoothing. */
export const variants: readonly Kernel[] = [
  printed(lossTable.sigmoid, { name: "unsmoothed", fixed: { labelSmoothing: 0 } }),
];

const logged = source("src/plan/logged.ts");

/** Those of what is logged, which WebGPU reckons on the host. */
export const loggedKernels: readonly Kernel[] = [
  marginKernel("own_means", exportedFunction(logged, "ownMeans"), []),
  marginKernel("own_rewards", exportedFunction(logged, "ownRewards"), ["k"]),
  marginKernel("log_odds", exportedFunction(logged, "logOdds"), []),
];
