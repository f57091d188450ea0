// The inputs and results of pairLoss: checked once, before anything is computed or written.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import { unusedOption } from "../checks/refusals.ts";
import { lengthOf } from "../checks/views.ts";
import { times } from "../losses/factor.ts";
import { isSorting, type PairColumn, pairColumns, pairResults } from "../losses/kinds.ts";
import { functionOf } from "../losses/own.ts";
import { readsOf } from "../plan/needs.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray, LengthArray, PairBuffers, PairLogps, PairLossOptions } from "../types.ts";
import {
  checkColumns,
  checkFiniteColumns,
  checkLengths,
  inNumbers,
  kindsOf,
  type Labels,
  missing,
  noDevice,
  type Scan,
} from "./columns.ts";
import { checkOut, type Wanted } from "./out.ts";

type Floats = Float32Array<ArrayBufferLike>;

/** What the pair stage computes: a checked call on pairs, or on rows. */
export interface PairJob {
  readonly plan: Plan;
  readonly pairs: number;
  readonly policyChosen: FloatArray;
  /** Of rows, their labels. */
  readonly policyRejected: FloatArray | Labels;
  readonly referenceChosen: FloatArray | undefined;
  readonly referenceRejected: FloatArray | undefined;
  readonly chosenLengths: LengthArray | undefined;
  readonly rejectedLengths: LengthArray | undefined;
  readonly rewardMargin: FloatArray | undefined;
  readonly pairWeights: FloatArray | undefined;
  /** Whether a length is 0, so that gradients have to be cleared. */
  readonly hasEmpty: boolean;
  /** [loss, slope] of the likelihood losses, which are one number for the batch; the slope bears mean pair weight. */
  readonly likelihood: (at: number) => readonly [loss: number, slope: number];
  /** gradScale / pairs. */
  readonly scale: number;
  readonly losses: Floats;
  readonly gradChosen: Floats;
  /** Rows have none. */
  readonly gradRejected: Floats | undefined;
  readonly chosenRewards: Floats | undefined;
  readonly rejectedRewards: Floats | undefined;
}

/** A checked call on pairs, ready to compute. */
export interface JobOfPairs extends PairJob {
  readonly policyRejected: FloatArray;
  readonly gradRejected: Floats;
}

const inputNames = pairColumns.map(({ name }) => name);
const columns = pairColumns.map(({ name, of }) => ({
  name,
  kinds: kindsOf(of),
  // Metrics tell of both, whatever the loss.
  always: of === "policy",
}));

/** The results of pairLoss. */
export const wantedOfPairs: readonly Wanted[] = pairResults.map((name) => ({ name, kinds: ["Float32Array"] }));

/** Inputs of pairLoss whose numbers are all of one kind: lengths given as bigints are copied into numbers. */
export interface ReadPairs extends PairLogps {
  chosenLengths?: LengthArray | undefined;
  rejectedLengths?: LengthArray | undefined;
}

const readFields = recordOf(
  { what: "pairs", field: "an input of pairLoss", synonyms: lossSynonyms },
  (given: PairLogps): PairLogps => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = given;
    const { chosenLengths, rejectedLengths, rewardMargin, pairWeights } = given;
    return {
      policyChosen,
      policyRejected,
      referenceChosen,
      referenceRejected,
      chosenLengths,
      rejectedLengths,
      rewardMargin,
      pairWeights,
    };
  },
);

/** The inputs of pairLoss, read once. Throws    KindError, ParamError for names that are none */
export function readPairs(given: unknown): ReadPairs {
  const pairs = readFields(given);
  // The record is ours, and a copy of it would cost a small call a twentieth of its time.
  if (pairs.chosenLengths !== undefined) pairs.chosenLengths = inNumbers(pairs.chosenLengths, "chosenLengths");
  if (pairs.rejectedLengths !== undefined) pairs.rejectedLengths = inNumbers(pairs.rejectedLengths, "rejectedLengths");
  return pairs as ReadPairs;
}

/** `out` of pairLoss, read once. Throws    KindError, ParamError for names that are none */
export const readPairOut = recordOf(
  { what: "out", field: "a result" },
  ({ losses, gradChosen, gradRejected, chosenRewards, rejectedRewards }: PairBuffers): PairBuffers => {
    return { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards };
  },
);

/**
 * Checks a call of pairLoss, its inputs and options read, against its plan and makes the buffers that were not given.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkPairs(
  pairs: ReadPairs,
  plan: Plan,
  options: PairLossOptions,
  scan: Scan,
  likelihood?: PairJob["likelihood"],
): JobOfPairs {
  const buffers: (object | undefined)[] | undefined = options.out === undefined ? undefined : [];
  const { count, chosen, rejected } = checkInputs(pairs, plan, scan, noDevice, buffers);
  if (options.validate === "finite") checkFiniteColumns(pairs as AnyPairs, inputNames);
  const out = options.out === undefined ? undefined : readPairOut(options.out);
  if (out !== undefined) checkOut(out, wantedOfPairs, () => count, pairs, inputNames, buffers ?? []);
  const { gradScale = 1 } = options;
  const full = options.metrics === "full";
  return {
    plan,
    pairs: count,
    policyChosen: pairs.policyChosen,
    policyRejected: pairs.policyRejected,
    referenceChosen: pairs.referenceChosen,
    referenceRejected: pairs.referenceRejected,
    chosenLengths: pairs.chosenLengths,
    rejectedLengths: pairs.rejectedLengths,
    rewardMargin: pairs.rewardMargin,
    pairWeights: pairs.pairWeights,
    hasEmpty: chosen?.least === 0 || rejected?.least === 0,
    likelihood: likelihood ?? likelihoods(pairs, plan, chosen?.sum ?? 0, scan),
    scale: gradScale / count,
    losses: out?.losses ?? new Float32Array(count),
    gradChosen: out?.gradChosen ?? new Float32Array(count),
    gradRejected: out?.gradRejected ?? new Float32Array(count),
    chosenRewards: out?.chosenRewards ?? (full ? new Float32Array(count) : undefined),
    rejectedRewards: out?.rejectedRewards ?? (full ? new Float32Array(count) : undefined),
  };
}

/** The inputs of pairLoss on any backend: arrays, or what lies on a device. */
export type AnyPairs = { readonly [Name in PairColumn]?: unknown };

/**
 * Checks the inputs, which may lie on a device, and scans the lengths that lie here. `buffers` take those of the columns that do.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function checkInputs(
  pairs: AnyPairs,
  plan: Plan,
  scan: Scan,
  deviceLength = noDevice,
  buffers?: (object | undefined)[],
) {
  const count = checkColumns(pairs, columns, "pair", deviceLength, buffers);
  checkNeeds(pairs, plan);
  const chosen = checkLengths(pairs.chosenLengths, "chosenLengths", scan);
  const rejected = checkLengths(pairs.rejectedLengths, "rejectedLengths", scan);
  return { count, chosen, rejected };
}

function checkNeeds(pairs: AnyPairs, plan: Plan): void {
  for (const term of plan.terms) {
    for (const name of readsOf(term)) if (pairs[name] === undefined) throw missing(name, term.loss.id);
  }
  // Half a reference would go unread in silence.
  if (pairs.referenceChosen && !pairs.referenceRejected) throw missing("referenceRejected", "referenceChosen");
  if (pairs.referenceRejected && !pairs.referenceChosen) throw missing("referenceChosen", "referenceRejected");
  const sorted = plan.terms.find(({ loss }) => isSorting(loss));
  if (sorted && pairs.pairWeights !== undefined) {
    throw unusedOption("pairWeights", `${sorted.loss.id} has ranks, not pairs, to weigh`);
  }
}

const noLikelihood: PairJob["likelihood"] = () => [0, 0];

// Likelihood losses are one number for the batch, so they are known before the first pair is written.
function likelihoods(pairs: ReadPairs, plan: Plan, tokens: number, scan: Scan): PairJob["likelihood"] {
  if (!plan.terms.some(({ loss }) => loss.kind === "likelihood")) return noLikelihood;
  const { sum } = scan(pairs.policyChosen);
  const meanWeight = pairs.pairWeights ? scan(pairs.pairWeights).sum / lengthOf(pairs.pairWeights) : 1;
  const known = plan.terms.map((_, at): readonly [number, number] => {
    const [value, slope] = likelihoodOf(plan, at, sum, tokens);
    return [value, times(meanWeight, slope)];
  });
  return (at) => known[at] ?? [0, 0];
}

/** Value and slope of the plan's entry `at`, if it is a likelihood loss. */
export function likelihoodOf(plan: Plan, at: number, sum: number, tokens: number): readonly [number, number] {
  const loss = plan.terms[at]?.loss;
  return loss?.kind === "likelihood" ? functionOf(loss)(sum, tokens) : [0, 0];
}
