// The inputs and results of unpairedLoss: checked once, before anything is computed or written. What comes of them is a job of the
// pair stage (src/losses/kinds.ts says how a row is a pair).

import { isList, mapList } from "../checks/lists.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption, wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, findNumber, lengthOf, offsetOf, refuseStray } from "../checks/views.ts";
import { product } from "../losses/factor.ts";
import { readsKl, rowColumns, rowResults } from "../losses/kinds.ts";
import { filledWith, type Plan } from "../plan/plan.ts";
import type { FloatArray, LengthArray, RowBuffers, RowLogps, UnpairedLossOptions } from "../types.ts";
import {
  checkColumns,
  checkFiniteColumns,
  checkLengths,
  floatKinds,
  hostLength,
  inNumbers,
  kindsOf,
  type Labels,
  missing,
  noDevice,
  type Scan,
} from "./columns.ts";
import { checkOut, type Wanted } from "./out.ts";
import type { PairJob } from "./pairs.ts";

/** Inputs of unpairedLoss whose numbers are all of one kind. */
export interface ReadRows extends Omit<RowLogps, "desirable" | "lengths"> {
  desirable: Labels;
  lengths?: LengthArray | undefined;
  /** k of KTO, where it is known already. */
  kl?: number;
}

/** A job of the pair stage on rows. */
export interface RowJob extends PairJob {
  readonly policyRejected: Labels;
  readonly gradRejected: undefined;
  /** k of KTO: 0 where no loss reads it. */
  readonly kl: number;
}

const columns = rowColumns.map(({ name, of }) => ({
  name,
  kinds: kindsOf(of),
  always: of === "policy" || of === "labels",
}));

/** The mismatched rows' log-probs: as many as there are. */
const klNames = ["klPolicy", "klReference"] as const;
const inputNames = [...columns.map(({ name }) => name), ...klNames];
const floatNames = inputNames.filter((name) => name !== "desirable");

/** The results of unpairedLoss. */
export const wantedOfRows: readonly Wanted[] = rowResults.map(({ name }) => ({ name, kinds: ["Float32Array"] }));

const readFields = recordOf(
  { what: "rows", field: "an input of unpairedLoss", synonyms: lossSynonyms },
  (given: RowLogps): RowLogps => {
    const { policy, reference, desirable, klPolicy, klReference, lengths, rowWeights, densityRatio } = given;
    return { policy, reference, desirable, klPolicy, klReference, lengths, rowWeights, densityRatio };
  },
);

/** The inputs of unpairedLoss, read once. Throws    KindError, ParamError for names that are none */
export function readRows(given: unknown): ReadRows {
  const rows = readFields(given);
  rows.desirable = inLabels(rows.desirable, "desirable") as Labels;
  rows.lengths = inNumbers(rows.lengths, "lengths");
  return rows as ReadRows;
}

/** Labels given as a list of booleans in numbers; other values come back as they are. Throws    KindError */
export function inLabels(given: unknown, name: string): unknown {
  if (!isList(given)) return given;
  const labels = mapList<unknown, number>(given, name, (value, i) => {
    if (typeof value === "boolean") return Number(value);
    throw wrongKind(`${name}[${i}]`, "true or false", value);
  });
  return Uint8Array.from(labels);
}

/** Refuses labels that are neither 0 nor 1. */
export function checkLabels(labels: Labels, name: string): void {
  const n = lengthOf(labels);
  // Four at a time where they lie so: measured, a byte at a time is a fifth of a call.
  const whole = offsetOf(labels) % 4 === 0 ? n >> 2 : 0;
  const words = new Uint32Array(bufferOf(labels) as ArrayBuffer, whole > 0 ? offsetOf(labels) : 0, whole);
  let bits = 0;
  for (let i = 0; i < whole; i++) bits |= words[i] as number;
  for (let i = 4 * whole; i < n; i++) bits |= labels[i] as number;
  if ((bits & ~0x01010101) === 0) return;
  const at = findNumber(labels, (label) => label > 1);
  throw outOfRange(`${name}[${at}]`, "0 or 1", labels[at]);
}

/** `out` of unpairedLoss, read once. */
const readRowOut = recordOf(
  { what: "out", field: "a result" },
  ({ losses, grad, rewards }: RowBuffers): RowBuffers => ({ losses, grad, rewards }),
);

/**
 * Checks a call of unpairedLoss, its inputs and options read, against its plan and makes the buffers that were not given.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkRows(rows: ReadRows, plan: Plan, options: UnpairedLossOptions, scan: Scan): RowJob {
  const buffers: (object | undefined)[] | undefined = options.out === undefined ? undefined : [];
  const count = checkColumns(rows as never, columns, "row", noDevice, buffers);
  const { policy, reference, desirable, lengths } = rows;
  checkLabels(desirable, "desirable");
  const user = plan.terms.find(({ loss }) => loss.reference)?.loss.id;
  if (user !== undefined && reference === undefined) throw missing("reference", user);
  const tokens = checkLengths(lengths, "lengths", scan);
  checkDensity(rows, plan);
  if (rows.kl === undefined) {
    const ofKl = checkKl(rows, klNames, plan);
    buffers?.push(...ofKl);
  }
  if (options.validate === "finite") checkFiniteColumns(rows as never, floatNames);
  const out = options.out === undefined ? undefined : readRowOut(options.out);
  if (out !== undefined) checkOut(out, wantedOfRows, () => count, rows, inputNames, buffers ?? []);
  const { gradScale = 1, metrics } = options;
  const kl = rows.kl ?? klOf(rows.klPolicy, rows.klReference, plan);
  return {
    plan: plan.terms.some(({ klAt }) => klAt >= 0) ? filledWith(plan, { kl }) : plan,
    kl,
    pairs: count,
    policyChosen: policy,
    policyRejected: desirable,
    referenceChosen: reference,
    referenceRejected: undefined,
    chosenLengths: lengths,
    rejectedLengths: undefined,
    rewardMargin: undefined,
    pairWeights: weightsOf(rows, count),
    hasEmpty: tokens?.least === 0,
    likelihood: () => [0, 0],
    scale: gradScale / count,
    losses: out?.losses ?? new Float32Array(count),
    gradChosen: out?.grad ?? new Float32Array(count),
    gradRejected: undefined,
    chosenRewards: out?.rewards ?? (metrics === "full" ? new Float32Array(count) : undefined),
    rejectedRewards: undefined,
  };
}

// The running mean of rewards is what tells BCO from the others; its density ratio is one weight a row, whatever else is asked for.
function checkDensity({ densityRatio }: ReadRows, { terms }: Plan): void {
  const other = densityRatio && terms.find(({ loss }) => !Object.hasOwn(loss.params, "rewardShift"));
  if (!other) return;
  throw unusedOption("densityRatio", `not used by ${other.loss.id} (used by bco alone)`);
}

function weightsOf({ desirable, rowWeights, densityRatio }: ReadRows, count: number): FloatArray | undefined {
  if (!densityRatio) return rowWeights;
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const own = rowWeights ? (rowWeights[i] as number) : 1;
    weights[i] = desirable[i] === 0 ? product(own, densityRatio[i] as number) : own;
  }
  return weights;
}

/**
 * Checks the log-probs of the mismatched rows, the policy's and the reference's by their names; gives their buffers.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function checkKl<Name extends string>(
  given: { readonly [N in Name]?: FloatArray | undefined },
  names: readonly Name[],
  { terms }: Plan,
): (object | undefined)[] {
  const user = terms.find(({ loss }) => readsKl(loss))?.loss.id;
  let count: number | undefined;
  return names.map((name, k) => {
    const array = given[name];
    if (array === undefined) {
      const other = names[1 - k] as Name;
      if (user === undefined && given[other] === undefined) return undefined;
      throw missing(name, user ?? other);
    }
    const length = hostLength(array, name, floatKinds);
    if (length === 0) throw wrongLength(name, "at least one mismatched row", 0);
    count ??= length;
    if (length !== count) {
      throw wrongLength(name, `${count} values (mismatched rows)`, length);
    }
    const buffer = bufferOf(array);
    refuseStray(array, name, buffer);
    return buffer;
  });
}

/** k of KTO, 0 where no loss reads it. The mean is clamped, not each row's; a NaN stays. */
export function klOf(policy: FloatArray | undefined, reference: FloatArray | undefined, { terms }: Plan): number {
  if (!policy || !reference || !terms.some(({ loss }) => readsKl(loss))) return 0;
  return Math.max(0, meanDifference(policy, reference));
}

/** The mean of x − y, in float64. */
export function meanDifference(x: FloatArray, y: FloatArray | undefined): number {
  const n = lengthOf(x);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (x[i] as number) - (y ? (y[i] as number) : 0);
  return sum / n;
}
