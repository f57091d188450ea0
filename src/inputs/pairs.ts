// The inputs and results of pairLoss: checked once, before anything is computed or written.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import { bufferOf, findNumber, lengthOf, refuseStray } from "../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../errors.ts";
import { times } from "../losses/factor.ts";
import { isSorting, type PairColumn, pairColumns, pairResults } from "../losses/kinds.ts";
import { functionOf } from "../losses/own.ts";
import { arrayKind, kindOf } from "../messages.ts";
import { readsOf } from "../plan/needs.ts";
import type { Plan } from "../plan/plan.ts";
import type { FloatArray, LengthArray, PairBuffers, PairLogps, PairLossOptions } from "../types.ts";
import { checkOut, type Wanted } from "./out.ts";

type Floats = Float32Array<ArrayBufferLike>;

/** A checked call, ready to compute. */
export interface PairJob {
  readonly plan: Plan;
  readonly pairs: number;
  readonly policyChosen: FloatArray;
  readonly policyRejected: FloatArray;
  readonly referenceChosen: FloatArray | undefined;
  readonly referenceRejected: FloatArray | undefined;
  readonly chosenLengths: LengthArray | undefined;
  readonly rejectedLengths: LengthArray | undefined;
  readonly pairWeights: FloatArray | undefined;
  /** Whether a length is 0, so that gradients have to be cleared. */
  readonly hasEmpty: boolean;
  /** [loss, slope] of the likelihood losses, which are one number for the batch; the slope bears mean pair weight. */
  readonly likelihood: (at: number) => readonly [loss: number, slope: number];
  /** gradScale / pairs. */
  readonly scale: number;
  readonly losses: Floats;
  readonly gradChosen: Floats;
  readonly gradRejected: Floats;
  readonly chosenRewards: Floats | undefined;
  readonly rejectedRewards: Floats | undefined;
}

const floatKinds: readonly string[] = ["Float32Array", "Float64Array"];
const lengthKinds: readonly string[] = [...floatKinds, "Int32Array", "Uint32Array", "BigInt64Array"];

const inputNames = pairColumns.map(({ name }) => name);
const columns = pairColumns.map(({ name, of }) => ({
  name,
  kinds: of === "lengths" ? lengthKinds : floatKinds,
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
  { what: "pairs", field: "an input of pairLoss", prefix: "pairs.", synonyms: lossSynonyms },
  (given: PairLogps): PairLogps => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = given;
    const { chosenLengths, rejectedLengths, pairWeights } = given;
    return {
      policyChosen,
      policyRejected,
      referenceChosen,
      referenceRejected,
      chosenLengths,
      rejectedLengths,
      pairWeights,
    };
  },
);

/** The inputs of pairLoss, read once. Throws    KindError, ParamError for names that are none */
export function readPairs(given: unknown): ReadPairs {
  const pairs = readFields(given);
  // The record is ours, and a copy of it would cost a small call a twentieth of its time.
  if (pairs.chosenLengths !== undefined) pairs.chosenLengths = inNumbers(pairs.chosenLengths);
  if (pairs.rejectedLengths !== undefined) pairs.rejectedLengths = inNumbers(pairs.rejectedLengths);
  return pairs as ReadPairs;
}

function inNumbers(lengths: PairLogps["chosenLengths"]): LengthArray | undefined {
  if (!isBigInts(lengths)) return lengths;
  const numbers = new Float64Array(lengthOf(lengths));
  for (let i = 0; i < numbers.length; i++) numbers[i] = Number(lengths[i]);
  return numbers;
}

const isBigInts = (array: PairLogps["chosenLengths"]): array is BigInt64Array =>
  array !== undefined && arrayKind(array) === "BigInt64Array";

/** `out` of pairLoss, read once. Throws    KindError, ParamError for names that are none */
export const readPairOut = recordOf(
  { what: "out", field: "a result", prefix: "out." },
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
): PairJob {
  const { count, chosen, rejected, buffers } = checkInputs(pairs, plan, scan);
  if (options.validate === "finite") checkFinite(pairs);
  const out = options.out === undefined ? undefined : readPairOut(options.out);
  if (out !== undefined) checkOut(out, wantedOfPairs, () => count, pairs, inputNames, buffers);
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

/** How many numbers an input on a device has; undefined for one on the host. Throws    KindError, ParamError, ShapeError */
export type DeviceLength = (input: unknown, name: string) => number | undefined;

const noDevice: DeviceLength = () => undefined;

/**
 * Checks the inputs, which may lie on a device, and scans the lengths that lie here. `buffers` are those of the columns that do.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function checkInputs(pairs: AnyPairs, plan: Plan, scan: Scan, deviceLength = noDevice) {
  // One look at each buffer: the getter is what a call of a few pairs spends its time on.
  const buffers: (object | undefined)[] = [];
  const count = checkArrays(pairs, deviceLength, buffers);
  checkNeeds(pairs, plan);
  const chosen = checkLengths(pairs.chosenLengths, "chosenLengths", scan);
  const rejected = checkLengths(pairs.rejectedLengths, "rejectedLengths", scan);
  return { count, chosen, rejected, buffers };
}

function checkArrays(pairs: AnyPairs, deviceLength: DeviceLength, buffers: (object | undefined)[]): number {
  let count: number | undefined;
  for (const { name, kinds, always } of columns) {
    const array = pairs[name];
    if (array === undefined) {
      if (always) throw new KindError(`${name}: expected a ${kinds.join(" or ")}, got undefined`);
      buffers.push(undefined);
      continue;
    }
    const onDevice = deviceLength(array, name);
    const length = onDevice ?? hostLength(array, name, kinds);
    count ??= length;
    if (length !== count) {
      throw new ShapeError("wrong-length", `${name}: expected ${count} values (pairs), got ${length}`);
    }
    const buffer = onDevice === undefined ? bufferOf(array as ArrayBufferView) : undefined;
    buffers.push(buffer);
    if (buffer) refuseStray(array as ArrayBufferView, name, buffer);
  }
  if (!count) throw new ShapeError("wrong-length", "policyChosen: expected at least one pair, got 0");
  return count;
}

function hostLength(array: unknown, name: string, kinds: readonly string[]): number {
  if (kinds.includes(arrayKind(array))) return lengthOf(array as ArrayBufferView);
  throw new KindError(`${name}: expected a ${kinds.join(" or ")}, got ${kindOf(array)}`);
}

function checkNeeds(pairs: AnyPairs, plan: Plan): void {
  for (const term of plan.terms) {
    for (const name of readsOf(plan, term)) if (pairs[name] === undefined) throw missing(name, term.loss.id);
  }
  // Half a reference would go unread in silence.
  if (pairs.referenceChosen && !pairs.referenceRejected) throw missing("referenceRejected", "referenceChosen");
  if (pairs.referenceRejected && !pairs.referenceChosen) throw missing("referenceChosen", "referenceRejected");
  const sorted = plan.terms.find(({ loss }) => isSorting(loss));
  if (sorted && pairs.pairWeights !== undefined) {
    throw new ParamError("unused-option", `pairWeights: ${sorted.loss.id} has ranks, not pairs, to weigh`);
  }
}

const missing = (name: string, user: string): ParamError =>
  new ParamError("missing-input", `${name}: expected with ${user}, got nothing`);

// Lengths are checked always: a NaN or a negative one would divide silently.
function checkLengths(given: unknown, name: string, scan: Scan): ReturnType<Scan> | undefined {
  if (!ArrayBuffer.isView(given)) return undefined;
  const lengths = given as LengthArray;
  const result = scan(lengths);
  if (result.least >= 0 && result.sum < Infinity) return result;
  const at = findNumber(lengths, (length) => !(length >= 0 && length < Infinity));
  throw new ParamError("out-of-range", `${name}[${at}]: expected tokens ≥ 0, got ${lengths[at]}`);
}

function checkFinite(pairs: ReadPairs): void {
  for (const name of inputNames) {
    const array = pairs[name];
    const at = array ? findNumber(array, (value) => !Number.isFinite(value)) : -1;
    if (at < 0) continue;
    throw new ParamError("not-finite", `${name}[${at}]: expected a finite number, got ${array?.[at]}`);
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

/** The least value and the sum of an array; a NaN shows in the sum. */
export type Scan = (values: LengthArray) => { readonly least: number; readonly sum: number };

/** The scan in plain JavaScript, in float64. */
export const scanValues: Scan = (values) => {
  let least = Infinity;
  let sum = 0;
  const n = lengthOf(values);
  for (let i = 0; i < n; i++) {
    const value = values[i] as number;
    if (value < least) least = value;
    sum += value;
  }
  return { least, sum };
};
