// What the tests of fromTrl share: TRL's configurations, some pairs, and short forms of the calls.

import { readFileSync } from "node:fs";
import { createJs } from "../../src/backends/js/js.ts";
import { DpoError } from "../../src/errors.ts";
import { fromTrl, type TrlConfig } from "../../src/from-trl/from-trl.ts";
import type { LossOptions, PairLogps } from "../../src/types.ts";

/** A file, by its path from test/. */
export const text = (path: string): string => readFileSync(new URL(path, new URL("../", import.meta.url)), "utf8");

export interface Example {
  readonly id: string;
  readonly config: TrlConfig;
}
export const examples: readonly Example[] = JSON.parse(text("./golden/trl-configs.json")).configs;

/** Eight pairs of plausible log-probabilities, the same each time. */
export function somePairs(): PairLogps {
  let state = 1;
  const random = (): number => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  const logps = (): Float64Array => Float64Array.from({ length: 8 }, () => -20 * random() - 1);
  const lengths = (): Float64Array => Float64Array.from({ length: 8 }, () => 1 + Math.floor(20 * random()));
  return {
    policyChosen: logps(),
    policyRejected: logps(),
    referenceChosen: logps(),
    referenceRejected: logps(),
    chosenLengths: lengths(),
    rejectedLengths: lengths(),
  };
}

export const js = createJs();
export const lossOf = (options: LossOptions): number => js.pairLoss(somePairs(), options).loss;
export const loss = (config: TrlConfig, version?: string): LossOptions => fromTrl(config, { version }).loss;
export const warnings = (config: TrlConfig, version?: string): string =>
  fromTrl(config, { version }).warnings.join("\n");

/** The error of a call, which must be one of ours. */
export function refusal(run: () => unknown): DpoError {
  try {
    run();
  } catch (error) {
    if (error instanceof DpoError) return error;
    throw error;
  }
  throw new Error("not refused");
}
