// What the calls that see tokens check alike: gradients' arrays, results of tokens.

import { recordOf } from "../checks/record.ts";
import { overlap, plainView } from "../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../errors.ts";
import { arrayKind } from "../messages.ts";
import { checkNumber, type Plan } from "../plan/plan.ts";
import type { Floats, LogpsBuffers, PairBuffers } from "../types.ts";
import { type FloatData, floatAt, readFloats } from "./floats.ts";
import { checkOneOf } from "./options.ts";
import { checkOut, type Wanted } from "./out.ts";
import { wantedOfPairs } from "./pairs.ts";
import type { TokenList } from "./tokens.ts";

/** The kinds of arrays that log-probs may stand in. */
export const logpKinds = ["Float32Array", "Float64Array"];

/** The results of every call that sees tokens. */
export const logpResults: readonly Wanted[] = [
  { name: "logps", kinds: ["Float64Array"] },
  { name: "tokenLogps", kinds: logpKinds },
  { name: "logsumexp", kinds: logpKinds },
];

/** The length of each of these results, and of those of pairs. */
export function logpLengths({ pairs, positions }: TokenList): (name: string) => number {
  return (name) =>
    name === "logps" ? 2 * pairs : logpResults.some((result) => result.name === name) ? positions : pairs;
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
  throw new ParamError("out-of-range", `ldAlpha: expected a number in [0, 1], got ${ldAlpha}`);
}

// Ranks are not pairs to weigh, and the likelihood of a batch has no pairs at all.
export function checkWeighting(weighting: unknown, plan: Plan): void {
  checkOneOf(weighting, "weighting", ["wpo"]);
  const other = plan.terms.find(({ loss }) => loss.batch);
  if (other) throw new ParamError("unused-option", `weighting: "wpo" weighs pairs, which ${other.loss.id} has not`);
}

/** Results of a call, by name. */
type Results = PairBuffers & LogpsBuffers & Record<string, unknown>;

const readResults = recordOf(
  { what: "out", field: "a result", prefix: "out." },
  ({ losses, gradChosen, gradRejected, chosenRewards, rejectedRewards, logps, tokenLogps, logsumexp }: Results) => {
    const ofPairs = { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards };
    return { ...ofPairs, logps, tokenLogps, logsumexp } as Results;
  },
);

const readLogpResults = recordOf(
  { what: "out", field: "a result", prefix: "out." },
  ({ logps, tokenLogps, logsumexp }: Results) => ({ logps, tokenLogps, logsumexp }) as Results,
);

/** `out`, read once; `gradients` are the names of those that the call has, undefined where it has no loss either. */
export function readOut(out: unknown, gradients?: readonly string[]): Results {
  if (out === undefined) return {};
  return gradients ? readResults(out, () => gradients) : readLogpResults(out);
}

/** The arrays that a call writes, and those of the caller's that its result names in their place. */
export interface Outs {
  readonly out: PairBuffers & LogpsBuffers;
  readonly named: PairBuffers & LogpsBuffers;
}

/**
 * Checks `out`, once it is read. What the call computes from, `read`, is read to the end: a gradient may go over the very array
 * that it belongs to, and nothing else.
 *
 * Throws    KindError, ShapeError
 */
export function checkResults(
  given: Results,
  gradients: Readonly<Record<string, FloatData>>,
  list: TokenList,
  read: Readonly<Record<string, FloatData>>,
  arrays: Readonly<Record<string, ArrayBufferView>>,
): Outs {
  const buffers: Record<string, ArrayBufferView | undefined> = {};
  const wanted = [...wantedOfPairs, ...logpResults];
  for (const { name } of wanted) buffers[name] = given[name] as ArrayBufferView | undefined;
  for (const [name, { data }] of Object.entries(gradients)) {
    wanted.push({ name, kinds: [arrayKind(data)] });
    if (given[name] !== undefined) buffers[name] = data;
  }
  const inputs: Record<string, ArrayBufferView> = { ...arrays };
  for (const [name, { data }] of Object.entries(read)) inputs[name] = data;
  const lengthOf = (name: string): number => gradients[name]?.data.length ?? logpLengths(list)(name);
  checkOut(buffers, wanted, lengthOf, inputs, Object.keys(inputs));
  for (const [input, { data }] of Object.entries(read)) {
    const own = `grad${input.split(".").at(-1)}`;
    for (const [name, buffer] of Object.entries(buffers)) {
      if (buffer === undefined || name.toLowerCase() === own || !overlap(buffer, data)) continue;
      throw new ShapeError("overlap", `out.${name}: expected memory apart from ${input}, got theirs`);
    }
  }
  const out: Record<string, ArrayBufferView> = {};
  const named: Record<string, ArrayBufferView> = {};
  for (const { name } of [...wantedOfPairs, ...logpResults]) {
    const array = buffers[name];
    if (array === undefined) continue;
    out[name] = plainView(array, arrayKind(array));
    named[name] = array;
  }
  return { out: out as Outs["out"], named: named as Outs["named"] };
}

/** The array of a gradient, as the result names it and as kernels see it: the one given, or a fresh one. */
export function readGradient(
  given: Floats | undefined,
  name: string,
  like: Floats,
  input: FloatData,
  gradType: "same" | "f32",
): { value: Floats; data: FloatData } {
  const type = gradType === "f32" ? "f32" : input.type;
  const value = given === undefined ? makeFloats(like, type, input.data.length) : given;
  const data = readFloats(value, `out.${name}`, input.data.length);
  if (data.type === type) return { value, data };
  throw new KindError(`out.${name}: expected ${type} (gradType "${gradType}"), got ${data.type}`);
}

// An array of the gradient's type, in the wrapper that the input came in.
function makeFloats(like: Floats, type: FloatData["type"], length: number): Floats {
  if (type === "f32") return new Float32Array(length);
  if (arrayKind(like) === "Float16Array") return new Float16Array(length);
  const bits = new Uint16Array(length);
  return type === "f16" ? { f16: bits } : { bf16: bits };
}

/** Refuses NaN and infinities in the rows that count. */
export function checkFiniteRows(floats: FloatData, name: string, { rows }: TokenList, width: number): void {
  for (const row of rows) checkFinite(floats, name, row * width, width, ` (row ${row})`);
}

/** Refuses NaN and infinities among `n` elements. */
export function checkFinite({ type, data }: FloatData, name: string, from: number, n: number, where = ""): void {
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
