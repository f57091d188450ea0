// What a request may ask for, looked at before anything is computed. Arrays that are too short for what a request says of them are
// refused by the call itself.

import { lengthOf } from "../checks/views.ts";
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

const untimed = [0, 0, 0] as const;

/** Whether the time of a call on this backend is known before: on this thread, where it cannot be ended. */
export const isTimed = (backend: string): boolean => Object.hasOwn(rates, backend);

interface Tokens {
  readonly pairs?: unknown;
  readonly rows?: unknown;
  readonly completionMask?: unknown;
  readonly targets?: unknown;
}

/** Throws    a refusal, 413, with the field */
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
  const vocab = numberOf(input["vocab"]);
  refuseMore(vocab, maxVocab, "vocab", "ids");
  const [perPair, perLogit, perProduct] = rates[backend] ?? untimed;
  const losses = Array.isArray(options["lossType"]) ? options["lossType"].length : 1;
  const positions = sizeOf(tokens.targets) + onesOf(tokens.completionMask);
  const widths = numberOf(input["hiddenSize"]) + (hasHead(input["reference"]) ? numberOf(input["hiddenSize"]) : 0);
  const millis =
    (sizeOf(input["policyChosen"]) * losses * perPair + positions * vocab * (perLogit + widths * perProduct)) / 1e6;
  if (millis <= maxMillis) return;
  const got = `about ${Math.ceil(millis)}`;
  throw refuse(413, `body: expected at most ${maxMillis} ms of computation, got ${got}`, {
    code: "out-of-range",
    field: "body",
  });
}

function refuseMore(got: number, most: number, field: string, what: string): void {
  if (got <= most) return;
  throw refuse(413, `${field}: expected at most ${most} ${what}, got ${got}`, { code: "out-of-range", field });
}

// Only positions that count are computed.
function onesOf(mask: unknown): number {
  let ones = 0;
  if (ArrayBuffer.isView(mask)) for (const bit of mask as Int32Array) if (Number(bit) !== 0) ones++;
  return ones;
}

const hasHead = (reference: unknown): boolean =>
  typeof reference === "object" && reference !== null && "hidden" in reference;

// What is no number is for the call to refuse.
const numberOf = (value: unknown): number => (typeof value === "number" && value > 0 ? value : 0);
const sizeOf = (value: unknown): number => (ArrayBuffer.isView(value) ? lengthOf(value) : 0);
