// The inputs of the calls that see logits, checked once, before anything is computed or written.

import { checkCall, checkOneOf, refuseUnused } from "./call-options.ts";
import { KindError, ParamError, ShapeError } from "./errors.ts";
import { type FloatData, floatAt, readFloats } from "./floats.ts";
import { checkOut, overlap, type Wanted } from "./out.ts";
import { pairResults } from "./pairs.ts";
import { arrayKind, checkNumber, kindOf, type Plan } from "./plan.ts";
import { listTokens, type TokenList } from "./tokens.ts";
import type { FloatArray, Floats, LogitsBatch, LogitsLossOptions, Reference, SequenceLogpsOptions } from "./types.ts";

/** A checked batch of logits. */
export interface LogitsJob {
  readonly list: TokenList;
  readonly vocab: number;
  readonly logits: FloatData;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
}

/** A checked call of logitsLoss. */
export interface LogitsLossJob extends LogitsJob {
  readonly reference: { readonly logps: FloatArray } | { readonly logits: FloatData } | undefined;
  readonly wpo: boolean;
  /** Where the gradient goes: as kernels see it, and as the result names it. */
  readonly gradient: FloatData;
  readonly gradLogits: Floats;
  /** Whether the gradient's array is fresh, so that rows that do not count are 0 already. */
  readonly fresh: boolean;
}

const sums = ["Float32Array", "Float64Array"];
const logpResults: readonly Wanted[] = [
  { name: "logps", kinds: ["Float64Array"] },
  { name: "tokenLogps", kinds: sums },
  { name: "logsumexp", kinds: sums },
];

/**
 * Checks what `sequenceLogps` is given.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogits(batch: LogitsBatch, options: SequenceLogpsOptions): LogitsJob {
  checkCall(options);
  const unused = ["inPlace", "accumulate", "gradScale"];
  refuseUnused(options, unused, "sequenceLogps, which has no gradient");
  const known = ["ldAlpha", "gradType", "out", "metrics", "validate", "signal", "onProgress", "transfer"];
  for (const name in options) {
    if (known.includes(name) || unused.includes(name)) continue;
    if (options[name as keyof SequenceLogpsOptions] === undefined) continue;
    throw new ParamError("unknown-option", `${name}: not an option of sequenceLogps; known: ${known.join(", ")}`);
  }
  const job = readBatch(batch, options);
  const { list, logits } = job;
  if (options.out !== undefined) {
    const inputs = { logits: logits.data, ...tokenArrays(batch.tokens) };
    checkOut(options.out, logpResults, logpLengths(list), inputs, Object.keys(inputs));
  }
  return job;
}

/**
 * Checks what `logitsLoss` is given, and makes the array of the gradient if none was.
 *
 * Throws    KindError, ShapeError, ParamError, AbortError; nothing has been written then
 */
export function checkLogitsLoss(
  batch: LogitsBatch & { reference?: Reference | undefined },
  plan: Plan,
  options: LogitsLossOptions,
): LogitsLossJob {
  checkCall(options);
  const { inPlace = false, gradType = "same", out, weighting } = options;
  if (out === null) throw new KindError("out: expected an object, got null");
  if (typeof inPlace !== "boolean") throw new KindError(`inPlace: expected true or false, got ${kindOf(inPlace)}`);
  refuseUnused(options, ["accumulate"], "logitsLoss, which has no weight gradients");
  if (weighting !== undefined) checkWeighting(weighting, plan);
  const job = readBatch(batch, options);
  const { list, logits, vocab } = job;
  const reference = readReference(batch.reference, plan, list, vocab, options.validate === "finite");
  const type = gradType === "f32" ? "f32" : logits.type;
  if (inPlace && type !== logits.type) {
    throw new ParamError("unused-option", `inPlace: expected gradType "same" for logits of ${logits.type}, got "f32"`);
  }
  if (inPlace && out?.gradLogits !== undefined) {
    throw new ParamError("unused-option", "inPlace: expected no out.gradLogits beside it, got one");
  }
  const size = logits.data.length;
  const given = inPlace ? batch.logits : out?.gradLogits;
  const gradLogits = given === undefined ? makeFloats(batch.logits, type, size) : given;
  const gradient = readFloats(gradLogits, "out.gradLogits", size);
  if (gradient.type !== type) {
    throw new KindError(`out.gradLogits: expected ${type} (gradType "${gradType}"), got ${gradient.type}`);
  }
  if (out !== undefined) {
    const kinds = [arrayKind(gradient.data)];
    const wanted = [...pairResults, ...logpResults, { name: "gradLogits", kinds }];
    const inputs = {
      logits: logits.data,
      ...referenceArrays(batch.reference, reference),
      ...tokenArrays(batch.tokens),
    };
    const buffers = out.gradLogits === undefined ? out : { ...out, gradLogits: gradient.data };
    const lengthOf = (name: string): number => (name === "gradLogits" ? size : logpLengths(list)(name));
    checkOut(buffers, wanted, lengthOf, inputs, Object.keys(inputs));
    // Logits are still to be read when the other results are written: only the gradient may go over them.
    for (const [input, read] of Object.entries(inputs).filter(([input]) => input.endsWith("logits"))) {
      for (const [name, array] of Object.entries(buffers)) {
        if (name === "gradLogits" || array === undefined || !overlap(array as Sized, read)) continue;
        throw new ShapeError("overlap", `out.${name}: expected memory apart from ${input}, got theirs`);
      }
    }
  }
  return { ...job, reference, wpo: weighting === "wpo", gradient, gradLogits, fresh: given === undefined };
}

function readBatch(batch: LogitsBatch, options: { ldAlpha?: number | undefined; validate?: unknown }): LogitsJob {
  if (!batch || typeof batch !== "object") throw new KindError(`batch: expected an object, got ${kindOf(batch)}`);
  const { tokens, vocab } = batch;
  const list = listTokens(tokens, vocab);
  const logits = readFloats(batch.logits, "logits", list.positions * vocab);
  if (options.validate === "finite") checkFiniteRows(logits, "logits", list, vocab);
  const { ldAlpha = 1 } = options;
  checkNumber(ldAlpha, "ldAlpha");
  if (ldAlpha < 0 || ldAlpha > 1) {
    throw new ParamError("out-of-range", `ldAlpha: expected a number in [0, 1], got ${ldAlpha}`);
  }
  return { list, vocab, logits, ldAlpha };
}

function readReference(
  reference: Reference | undefined,
  plan: Plan,
  list: TokenList,
  vocab: number,
  finite: boolean,
): LogitsLossJob["reference"] {
  if (reference === undefined) {
    const ratio = plan.terms.find(({ loss }) => !("likelihood" in loss));
    if (!ratio || plan.referenceFree) return undefined;
    throw new ParamError("missing-input", `reference: expected with ${ratio.loss.id}, got nothing`);
  }
  if (!reference || typeof reference !== "object" || "logps" in reference === "logits" in reference) {
    throw new KindError(`reference: expected { logps } or { logits }, got ${kindOf(reference)}`);
  }
  if ("logits" in reference) {
    const logits = readFloats(reference.logits, "reference.logits", list.positions * vocab);
    if (finite) checkFiniteRows(logits, "reference.logits", list, vocab);
    return { logits };
  }
  const { logps } = reference;
  if (!sums.includes(arrayKind(logps))) {
    throw new KindError(`reference.logps: expected a ${sums.join(" or ")}, got ${kindOf(logps)}`);
  }
  if (logps.length !== 2 * list.pairs) {
    throw new ShapeError("wrong-length", `reference.logps: expected ${2 * list.pairs} values, got ${logps.length}`);
  }
  const at = finite ? logps.findIndex((value) => !Number.isFinite(value)) : -1;
  if (at >= 0) throw new ParamError("not-finite", `reference.logps[${at}]: expected a finite number, got ${logps[at]}`);
  // A copy: the results may be written over the very array.
  return { logps: Float64Array.from(logps) };
}

function referenceArrays(given: Reference | undefined, checked: LogitsLossJob["reference"]): Record<string, Sized> {
  if (!given || !checked) return {};
  if ("logits" in checked) return { "reference.logits": checked.logits.data };
  return "logps" in given ? { "reference.logps": given.logps } : {};
}

type Sized = ArrayBufferView & { readonly length: number };

const tokenArrays = (tokens: object): Record<string, Sized> =>
  Object.fromEntries(
    Object.entries(tokens)
      .filter(([, value]) => ArrayBuffer.isView(value))
      .map(([name, value]) => [`tokens.${name}`, value]),
  );

// Ranks are not pairs to weigh, and the likelihood of a batch has no pairs at all.
function checkWeighting(weighting: unknown, plan: Plan): void {
  checkOneOf(weighting, "weighting", ["wpo"]);
  const other = plan.terms.find(({ loss }) => "likelihood" in loss || ("margin" in loss && loss.sorted));
  if (other) throw new ParamError("unused-option", `weighting: "wpo" weighs pairs, which ${other.loss.id} has not`);
}

function logpLengths({ pairs, positions }: TokenList): (name: string) => number {
  return (name) =>
    name === "logps" ? 2 * pairs : logpResults.some((result) => result.name === name) ? positions : pairs;
}

// An array of the gradient's type, in the wrapper that the logits came in.
function makeFloats(like: Floats, type: FloatData["type"], length: number): Floats {
  if (type === "f32") return new Float32Array(length);
  if (arrayKind(like) === "Float16Array") return new Float16Array(length);
  const bits = new Uint16Array(length);
  return type === "f16" ? { f16: bits } : { bf16: bits };
}

function checkFiniteRows({ type, data }: FloatData, name: string, { rows }: TokenList, vocab: number): void {
  // All bits of the exponent set: an infinity or a NaN.
  const mask = type === "f16" ? 0x7c00 : 0x7f80;
  for (const row of rows) {
    for (let at = row * vocab; at < (row + 1) * vocab; at++) {
      const value = data[at] as number;
      const finite = type === "f32" ? Number.isFinite(value) : (value & mask) !== mask;
      if (finite) continue;
      const got = floatAt({ type, data }, at);
      throw new ParamError("not-finite", `${name}[${at}]: expected a finite number, got ${got} (row ${row})`);
    }
  }
}
