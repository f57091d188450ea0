// What `allocate` hands out, on every backend.

import { KindError, ParamError } from "./errors.ts";
import { kindOf, shown } from "./plan.ts";
import type { ElementTypes } from "./types.ts";

/** The typed array of each element type; float16 and bfloat16 as their bits. */
export const arrayTypes = { f32: Float32Array, f16: Uint16Array, bf16: Uint16Array, i32: Int32Array, u8: Uint8Array };

/**
 * Checks the arguments of `allocate`.
 *
 * Throws    ParamError for an unknown type or a count that is no count; KindError for a count of another kind
 */
export function arrayTypeOf(type: keyof ElementTypes, n: number): (typeof arrayTypes)[keyof ElementTypes] {
  if (!Object.hasOwn(arrayTypes, type)) {
    const known = Object.keys(arrayTypes).join(", ");
    throw new ParamError("out-of-range", `type: expected one of ${known}, got ${shown(type)}`);
  }
  if (typeof n !== "number") throw new KindError(`n: expected a number, got ${kindOf(n)}`);
  if (!Number.isSafeInteger(n) || n < 0) throw new ParamError("out-of-range", `n: expected a count, got ${n}`);
  return arrayTypes[type];
}
