// What a request may ask for, looked at before anything is computed. Arrays that are too short for what a request says of them are
// refused by the call itself.

import { lengthOf } from "../checks/views.ts";
import { ParamError } from "../errors.ts";
import { refuse } from "./problem.ts";

export interface Limits {
  readonly maxBytes: number;
  readonly maxPairs: number;
  readonly maxVocab: number;
  readonly maxMillis: number;
}

/** Fit for a Worker of 128 MB. */
export const defaultLimits: Limits = { maxBytes: 8 << 20, maxPairs: 65536, maxVocab: 262144, maxMillis: 10_000 };

/**
 * Nanoseconds for a pair and loss, a logit forward and backward, a multiplication of a head forward and backward; on a slow machine,
 * so that what is let in ends in time. measured on a server Xeon: wasm 5, 3, 0.14; js 70, 12, 3.
 */
const rates: Readonly<Record<string, readonly [pair: number, logit: number, product: number]>> = {
  wasm: [20, 10, 0.5],
  js: [200, 40, 8],
};

/** Whether the time of a call on this backend is known before: on this thread, where it cannot be ended. */
export const isTimed = (backend: string): boolean => Object.hasOwn(rates, backend);

interface Tokens {
  readonly pairs?: unknown;
  readonly rows?: unknown;
  readonly completionMask?: unknown;
  readonly targets?: unknown;
}

/** Where logits come from: as such, or through a head. */
interface Source {
  readonly logits?: unknown;
  readonly weight?: unknown;
  readonly lora?: { readonly a?: unknown; readonly b?: unknown };
}

/** Throws    ParamError with the field for more pairs or ids than allowed; a refusal, 413, for a call that would take too long */
export function checkLimits(
  input: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
  { maxPairs, maxVocab, maxMillis }: Limits,
  backend: string,
): void {
  const tokens = (input["tokens"] ?? {}) as Tokens;
  refuseMore(sizeOf(input["policyChosen"]), maxPairs, "policyChosen", "pairs");
  refuseMore(sizeOf(input["policy"]), 2 * maxPairs, "policy", "rows");
  refuseMore(numberOf(tokens.pairs), maxPairs, "tokens.pairs", "pairs");
  refuseMore(numberOf(tokens.rows), 2 * maxPairs, "tokens.rows", "rows");
  refuseMore(numberOf(input["vocab"]), maxVocab, "vocab", "ids");
  const rate = rates[backend];
  const millis = rate ? millisOf(input, options, tokens, rate) : 0;
  if (millis <= maxMillis) return;
  const detail = `body: expected at most ${maxMillis} ms of computation, got about ${Math.ceil(millis)}`;
  throw refuse(413, detail, { code: "out-of-range", field: "body" });
}

function refuseMore(got: number, most: number, field: string, what: string): void {
  if (got > most) throw new ParamError("out-of-range", `${field}: expected at most ${most} ${what}, got ${got}`);
}

/** By the sizes of arrays, not by what a request says of them: where these differ the call refuses it. */
function millisOf(
  input: Readonly<Record<string, unknown>>,
  options: Readonly<Record<string, unknown>>,
  tokens: Tokens,
  [perPair, perLogit, perProduct]: (typeof rates)[string],
): number {
  const losses = Array.isArray(options["lossType"]) ? options["lossType"].length : 1;
  const pairs = sizeOf(input["policyChosen"]) + sizeOf(input["policy"]);
  const positions = sizeOf(tokens.targets) + onesOf(tokens.completionMask);
  const ofSource = ({ logits, weight, lora }: Source): number => {
    const weights = sizeOf(weight);
    const products = positions * (weights + sizeOf(lora?.a) + sizeOf(lora?.b));
    const ids = Math.min(numberOf(input["vocab"]), weights);
    return (sizeOf(logits) + positions * ids) * perLogit + products * perProduct;
  };
  const sources = [input, input["reference"] ?? {}] as readonly Source[];
  return (pairs * losses * perPair + sources.reduce((sum, source) => sum + ofSource(source), 0)) / 1e6;
}

// Only positions that count are computed.
function onesOf(mask: unknown): number {
  let ones = 0;
  if (ArrayBuffer.isView(mask)) for (const bit of mask as Int32Array) if (Number(bit) !== 0) ones++;
  return ones;
}

// What is no number, and no array, is for the call to refuse.
const numberOf = (value: unknown): number => (typeof value === "number" && value > 0 ? value : 0);

function sizeOf(value: unknown): number {
  if (ArrayBuffer.isView(value)) return lengthOf(value);
  const { f16, bf16 } = (value ?? {}) as { f16?: unknown; bf16?: unknown };
  const bits = f16 ?? bf16;
  return ArrayBuffer.isView(bits) ? lengthOf(bits) : 0;
}
