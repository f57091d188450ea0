// What the calls that see tokens check alike: gradients' arrays, results of tokens.

import { checkNumber } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unusedOption } from "../checks/refusals.ts";
import { bufferOf, lengthOf, type Memory, overlap, plainView } from "../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../errors.ts";
import { pairResults, rowResults, type Unit } from "../losses/kinds.ts";
import { arrayKind } from "../messages.ts";
import type { Plan } from "../plan/plan.ts";
import type { LogpsBuffers, PairBuffers, RowBuffers } from "../types.ts";
import { type AnyFloats, type ArrayReader, type FloatType, floatAt, isOnDevice, memoryOf } from "./floats.ts";
import { checkOneOf } from "./options.ts";
import { checkOut, type Wanted } from "./out.ts";
import { wantedOfPairs } from "./pairs.ts";
import type { TokenList } from "./tokens.ts";
import { wantedOfRows } from "./unpaired.ts";

/** The kinds of arrays that log-probs may stand in. */
export const logpKinds = ["Float32Array", "Float64Array"];

/** The results of every call that sees tokens. */
export const logpResults: readonly Wanted[] = [
  { name: "logps", kinds: ["Float64Array"] },
  { name: "tokenLogps", kinds: logpKinds },
  { name: "logsumexp", kinds: logpKinds },
  { name: "entropy", kinds: ["Float32Array"] },
];

/** The results of each pair, or of each row. */
const wantedOf = ({ pairs }: TokenList): readonly Wanted[] => (pairs > 0 ? wantedOfPairs : wantedOfRows);

/** The length of each of these results, and of those of pairs or rows. */
export function logpLengths({ pairs, start, size }: TokenList): (name: string) => number {
  const sequences = start.length - 1;
  const ofToken = (name: string): boolean => logpResults.some((result) => result.name === name);
  return (name) => (name === "logps" ? sequences : ofToken(name) ? size : pairs || sequences);
}

/** The arrays of a batch of tokens, by name. */
export const tokenArrays = (tokens: object): Record<string, ArrayBufferView> =>
  Object.fromEntries(
    Object.entries(tokens)
      .filter(([, value]) => arrayKind(value) !== "" && arrayKind(value) !== "DataView")
      .map(([name, value]) => [`tokens.${name}`, value]),
  );

/** LD-DPO's α; 1 is off. */
export function readLdAlpha({ ldAlpha = 1 }: { ldAlpha?: number | undefined }): number {
  checkNumber(ldAlpha, "ldAlpha");
  if (ldAlpha >= 0 && ldAlpha <= 1) return ldAlpha;
  throw outOfRange("ldAlpha", "a number in [0, 1]", ldAlpha);
}

// Ranks are not pairs to weigh, and the likelihood of a batch has no pairs at all.
export function checkWeighting(weighting: unknown, plan: Plan): void {
  checkOneOf(weighting, "weighting", ["wpo"]);
  const other = plan.terms.find(({ loss }) => loss.batch);
  if (other) throw unusedOption("weighting", `"wpo" weighs pairs, which ${other.loss.id} has not`);
}

/** Results of a call, by name. */
type Results = PairBuffers & RowBuffers & LogpsBuffers & Record<string, unknown>;

const readResults = recordOf<Results>({ what: "out", field: "a result" }, []);

const ofTokens = ["logps", "tokenLogps", "logsumexp"];

/** `out` of gradients alone, or of other results, read once: those of these names. */
export const readResultsOf = (out: unknown, names: readonly string[]): Results =>
  out === undefined ? {} : readResults(out, () => names);

/** The same of a loss; `gradients` are the names of those that the call has. */
export const readOut = (out: unknown, gradients: readonly string[], unit: Unit = "pair"): Results => {
  const own = unit === "pair" ? pairResults : rowResults.map(({ name }) => name);
  return readResultsOf(out, [...own, ...ofTokens, ...gradients]);
};

/** The same of log-probs alone. */
export const readLogpsOut = (out: unknown): Results => readResultsOf(out, [...ofTokens, "entropy"]);

/** The arrays that a call writes, and those of the caller's that its result names in their place. */
export interface Outs {
  readonly out: PairBuffers & RowBuffers & LogpsBuffers;
  readonly named: PairBuffers & RowBuffers & LogpsBuffers;
}

/**
 * Checks `out`, once it is read. What the call computes from, `read`, is read to the end: a gradient may go over the very array
 * that it belongs to, and nothing else.
 *
 * Throws    KindError, ShapeError
 */
export function checkResults(
  given: Results,
  gradients: Readonly<Record<string, AnyFloats>>,
  list: TokenList,
  read: Readonly<Record<string, AnyFloats>>,
  arrays: Readonly<Record<string, ArrayBufferView>>,
): Outs {
  const buffers: Record<string, Memory | undefined> = {};
  const results = [...wantedOf(list), ...logpResults];
  const wanted = [...results];
  for (const { name } of wanted) buffers[name] = given[name] as ArrayBufferView | undefined;
  for (const [name, gradient] of Object.entries(gradients)) {
    const memory = memoryOf(gradient);
    wanted.push({ name, kinds: [arrayKind(memory)] });
    if (given[name] !== undefined) buffers[name] = memory;
  }
  const inputs: Record<string, Memory> = { ...arrays };
  for (const [name, floats] of Object.entries(read)) inputs[name] = memoryOf(floats);
  const countOf = (name: string): number => {
    const gradient = gradients[name];
    return gradient ? lengthOf(memoryOf(gradient)) : logpLengths(list)(name);
  };
  checkOut(buffers, wanted, countOf, inputs, Object.keys(inputs), Object.values(inputs).map(bufferOf));
  for (const [input, floats] of Object.entries(read)) {
    const memory = memoryOf(floats);
    const own = `grad${input.split(".").at(-1)}`;
    for (const [name, buffer] of Object.entries(buffers)) {
      if (buffer === undefined || name.toLowerCase() === own || !overlap(buffer, memory)) continue;
      throw new ShapeError("overlap", `out.${name}: expected memory apart from ${input}, got theirs`);
    }
  }
  const out: Record<string, ArrayBufferView> = {};
  const named: Record<string, ArrayBufferView> = {};
  for (const { name } of results) {
    const array = buffers[name];
    if (array === undefined || !ArrayBuffer.isView(array)) continue;
    out[name] = plainView(array, arrayKind(array));
    named[name] = array;
  }
  return { out: out as Outs["out"], named: named as Outs["named"] };
}

/** The array of a gradient, as the result names it and as the backend sees it: the one given, or a new one. */
export function readGradient<F extends AnyFloats>(
  reader: ArrayReader<F>,
  given: unknown,
  name: string,
  like: unknown,
  input: F,
  gradType: "same" | "f32",
): { value: unknown; data: F } {
  const type: FloatType = gradType === "f32" ? "f32" : input.type;
  const length = lengthOf(memoryOf(input));
  if (given === undefined) return reader.newGradient(like, type, length);
  const data = reader.gradient(given, `out.${name}`, length);
  if (data.type === type) return { value: given, data };
  throw new KindError(`out.${name}: expected ${type} (gradType "${gradType}"), got ${data.type}`);
}

/** Refuses NaN and infinities in the rows that count. */
export function checkFiniteRows(floats: AnyFloats, name: string, { rows }: TokenList, width: number): void {
  for (const row of rows) checkFinite(floats, name, row * width, width, ` (row ${row})`);
}

/** Refuses NaN and infinities among `n` elements. */
export function checkFinite(floats: AnyFloats, name: string, from: number, n: number, where = ""): void {
  if (isOnDevice(floats)) {
    throw unusedOption("validate", `"finite" checks arrays, and ${name} is a GPU buffer`);
  }
  const { type, data } = floats;
  // All bits of the exponent set: an infinity or a NaN.
  const mask = type === "f16" ? 0x7c00 : 0x7f80;
  for (let at = from; at < from + n; at++) {
    const value = data[at] as number;
    const finite = type === "f32" ? Number.isFinite(value) : (value & mask) !== mask;
    if (finite) continue;
    const got = floatAt({ type, data }, at);
    throw new ParamError("not-finite", `${name}[${at}]: expected a finite number, got ${got}${where}`);
  }
}
