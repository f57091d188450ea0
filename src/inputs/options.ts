// The options of calls, read once into a record; and the checks of those that calls share, beside the losses' (src/plan/plan.ts).

import { copyList, isList } from "../checks/lists.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkNumber } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption, wrongKind } from "../checks/refusals.ts";
import { lengthOf } from "../checks/views.ts";
import { AbortError } from "../errors.ts";
import { isSettled, settleLoss } from "../losses/define.ts";
import type { Loss } from "../losses/loss.ts";
import { arrayKind, shown } from "../messages.ts";
import type { CallOptions, LinearLossOptions, LogitsLossOptions, LossName } from "../types.ts";

/** The options of every call with a loss. */
export type LossCallOptions = LinearLossOptions & LogitsLossOptions;

const none: readonly string[] = [];

// One literal: spreads would cost a call of a few pairs a tenth of its time.
const readNames = recordOf(
  { what: "options", field: "an option", synonyms: lossSynonyms },
  (given: LossCallOptions): LossCallOptions => {
    const { lossType, lossWeights, beta, labelSmoothing, discopopTau, rewardShift } = given;
    const { desirableWeight, undesirableWeight } = given;
    const { simpoGamma, alphapoAlpha, cpoAlpha, nll, dpopLambda } = given;
    const { fDivergence, fAlpha, fConstants, referenceFree, ldAlpha, weighting } = given;
    const { out, inPlace, gradType, gradScale, accumulate, frozen, keep } = given;
    const { metrics, validate, signal, onProgress, transfer } = given;
    const { logitScale, logitSoftcap, temperature } = given;
    return {
      lossType,
      lossWeights,
      beta,
      labelSmoothing,
      discopopTau,
      rewardShift,
      desirableWeight,
      undesirableWeight,
      simpoGamma,
      alphapoAlpha,
      cpoAlpha,
      nll,
      dpopLambda,
      fDivergence,
      fAlpha,
      fConstants,
      referenceFree,
      ldAlpha,
      weighting,
      out,
      inPlace,
      gradType,
      gradScale,
      accumulate,
      frozen,
      keep,
      metrics,
      validate,
      signal,
      onProgress,
      transfer,
      logitScale,
      logitSoftcap,
      temperature,
    };
  },
);

/**
 * The options of a call with a loss, read once. A loss of the user's brings names of its own; `more` are a backend's.
 *
 * Throws    KindError, ParamError for a name that is not known
 */
export const readLossOptions = (given: unknown, more = none): LossCallOptions =>
  readNames(given, more === none ? settleLists : (options) => [...settleLists(options), ...more]);

// Lists are read once too: what a loss is called, or weighs, does not change between the checks and the computation.
function settleLists(options: LossCallOptions): readonly string[] {
  const { lossType, lossWeights } = options;
  if (isList(lossWeights) || isNumbers(lossWeights)) options.lossWeights = listOf(lossWeights, "lossWeights");
  if (!isList(lossType)) {
    if (typeof lossType === "object") options.lossType = settleLoss(lossType);
    return namesOf(options.lossType);
  }
  const settled = listOf<LossName | Loss>(lossType, "lossType").map(settleLoss);
  options.lossType = settled;
  return settled.flatMap(namesOf);
}

// The KL is the batch's, and no option.
const namesOf = (loss: unknown): readonly string[] =>
  isSettled(loss) ? Object.keys(loss.params).filter((name) => name !== "kl") : none;

const isNumbers = (value: unknown): value is ArrayLike<number> & ArrayBufferView =>
  ArrayBuffer.isView(value) && arrayKind(value) !== "DataView";

/** Losses that one call may ask for. */
const MOST_LOSSES = 1000;

// By index: holes are values that are missing.
function listOf<T>(list: ArrayLike<T>, name: string): T[] {
  const entries = ArrayBuffer.isView(list) ? Array.from({ length: lengthOf(list) }, (_, i) => list[i] as T) : list;
  const copy = copyList(entries, name, MOST_LOSSES + 1);
  if (copy.length <= MOST_LOSSES) return copy;
  throw outOfRange(name, `at most ${MOST_LOSSES} entries`, entries.length);
}

/** Whether two calls ask for the same, results aside: what was checked for one needs no check for the other. */
export function askSame(a: LossCallOptions, b: LossCallOptions): boolean {
  for (const name in a) if (a[name as "beta"] !== b[name as "beta"] && name !== "out") return false;
  return true;
}

/** Checks the options that every call takes, once they are read. */
export function checkCall(options: CallOptions): void {
  const { gradScale, gradType, metrics, validate, signal, onProgress } = options as CallOptions & {
    gradType?: unknown;
  };
  if (gradType !== undefined) checkOneOf(gradType, "gradType", ["same", "f32"]);
  if (gradScale !== undefined) checkNumber(gradScale, "gradScale");
  if (metrics !== undefined) checkOneOf(metrics, "metrics", ["basic", "full"]);
  if (validate !== undefined) checkOneOf(validate, "validate", ["ids", "finite"]);
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw wrongKind("onProgress", "a function", onProgress);
  }
  refuseUnused(options, ["transfer"], "this call: only a pool's calls that see logits move them");
  if (signal !== undefined) checkSignal(signal);
}

/** Refuses what is no AbortSignal, and throws AbortError for one that was aborted. */
export function checkSignal(signal: unknown): void {
  const { aborted, reason, addEventListener } = signalFields(signal);
  if (typeof aborted !== "boolean" || typeof addEventListener !== "function") {
    throw wrongKind("signal", "an AbortSignal", signal);
  }
  if (aborted) throw new AbortError(reason);
}

function signalFields(signal: unknown): Partial<AbortSignal> {
  if (typeof signal !== "object" || signal === null) return {};
  try {
    const { aborted, reason, addEventListener } = signal as AbortSignal;
    return { aborted, reason, addEventListener };
  } catch {
    return {};
  }
}

/** Options that ask for nothing where they have this value: any call accepts them so. */
const neutral: Readonly<Record<string, unknown>> = {
  inPlace: false,
  accumulate: false,
  gradScale: 1,
  ldAlpha: 1,
  cpoAlpha: 0,
  transfer: false,
  logitScale: 1,
  temperature: 1,
  metrics: "basic",
};

/** Options of calls that see a head. */
export const ofHeads = ["accumulate", "frozen", "keep"] as const;

/** Options that pairLoss could only ignore. */
export const ofTokens = [
  "inPlace",
  ...ofHeads,
  "cpoAlpha",
  "ldAlpha",
  "weighting",
  "logitScale",
  "logitSoftcap",
  "temperature",
];

/** Refuses options that a call could only ignore, unless they ask for nothing. */
export function refuseUnused(options: object, names: readonly string[], why: string): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || value === neutral[name]) continue;
    throw unusedOption(name, `not used by ${why}`);
  }
}

/** One of a few words, or an error that lists them. */
export function checkOneOf(value: unknown, name: string, known: readonly string[]): void {
  if (typeof value === "string" && known.includes(value)) return;
  throw outOfRange(name, known.join(" or "), shown(value));
}
