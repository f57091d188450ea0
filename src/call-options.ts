// The options that calls share, beside those of the losses (src/plan.ts).

import { AbortError, KindError, ParamError } from "./errors.ts";
import { checkNumber, kindOf, shown } from "./plan.ts";
import type { CallOptions } from "./types.ts";

/** Checks the options that every call takes. */
export function checkCall(options: CallOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new KindError(`options: expected an object, got ${kindOf(options)}`);
  }
  const { gradScale, gradType, metrics, validate, signal, onProgress } = options as CallOptions & {
    gradType?: unknown;
  };
  if (gradType !== undefined) checkOneOf(gradType, "gradType", ["same", "f32"]);
  if (gradScale !== undefined) checkNumber(gradScale, "gradScale");
  if (metrics !== undefined) checkOneOf(metrics, "metrics", ["basic", "full"]);
  if (validate !== undefined) checkOneOf(validate, "validate", ["ids", "finite"]);
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new KindError(`onProgress: expected a function, got ${kindOf(onProgress)}`);
  }
  refuseUnused(options, ["transfer"], "this call: only a pool's calls that see logits move them");
  if (signal?.aborted) throw new AbortError(signal.reason);
}

/** Options that ask for nothing where they have this value: any call accepts them so. */
const neutral: Readonly<Record<string, unknown>> = {
  inPlace: false,
  accumulate: false,
  gradScale: 1,
  ldAlpha: 1,
  transfer: false,
};

/** Refuses options that a call could only ignore, unless they ask for nothing. */
export function refuseUnused(options: object, names: readonly string[], why: string): void {
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined || value === neutral[name]) continue;
    throw new ParamError("unused-option", `${name}: not used by ${why}`);
  }
}

/** One of a few words, or an error that lists them. */
export function checkOneOf(value: unknown, name: string, known: readonly string[]): void {
  if (typeof value === "string" && known.includes(value)) return;
  throw new ParamError("out-of-range", `${name}: expected ${known.join(" or ")}, got ${shown(value)}`);
}
