// What `allocate` hands out, on every backend.

import { outOfRange, wrongKind } from "../checks/refusals.ts";
import { BackendError, KindError } from "../errors.ts";
import { shown } from "../messages.ts";
import type { Backend, ElementTypes } from "../types.ts";

/** The typed array of each element type; float16 and bfloat16 as their bits. */
export const arrayTypes = { f32: Float32Array, f16: Uint16Array, bf16: Uint16Array, i32: Int32Array, u8: Uint8Array };

/**
 * Checks the arguments of `allocate`.
 *
 * Throws    ParamError for an unknown type or a count that is no count; KindError for a count of another kind
 */
export function arrayTypeOf(type: keyof ElementTypes, n: number): (typeof arrayTypes)[keyof ElementTypes] {
  if (typeof type !== "string" || !Object.hasOwn(arrayTypes, type)) {
    const known = Object.keys(arrayTypes).join(", ");
    throw outOfRange("type", `one of ${known}`, shown(type));
  }
  if (typeof n !== "number") throw wrongKind("n", "a number", n);
  if (!Number.isSafeInteger(n) || n < 0) throw outOfRange("n", "a count", n);
  return arrayTypes[type];
}

/** What `free` throws for an array that was never given, or is not held any more. */
export const notAllocated = (): KindError =>
  new KindError("free: expected an array that `allocate` gave and that is still held");

/** `allocate` and `free` of a backend without a memory of its own; in memory that is shared, if asked for. */
export function plainArrays(shared = false): Pick<Backend, "allocate" | "free"> {
  const held = new WeakSet<ArrayBufferView>();
  return {
    allocate(type, n) {
      const ArrayType = arrayTypeOf(type, n);
      const bytes = n * ArrayType.BYTES_PER_ELEMENT;
      const array = claim(bytes, () => {
        return new ArrayType(
          shared ? (new SharedArrayBuffer(bytes) as unknown as ArrayBuffer) : new ArrayBuffer(bytes),
        );
      }) as ElementTypes[typeof type];
      held.add(array);
      return array;
    },
    free(array) {
      if (!held.delete(array)) throw notAllocated();
    },
  };
}

/** What `make` makes, or the error that there is no memory for it. */
export function claim<T>(bytes: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new BackendError("out-of-memory", `memory: expected ${bytes} bytes for an array, got none`, { cause });
  }
}
