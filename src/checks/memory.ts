// What an engine throws where it has no memory for an array, as an error of this package.

import { BackendError, DpoError } from "../errors.ts";

const words = /allocation|array length|typed ?array|out of memory|buffer length/i;

/** An error as it is to be thrown: a RangeError that speaks of memory becomes a BackendError. */
export function typedError(error: unknown): unknown {
  if (error instanceof DpoError || !(error instanceof RangeError) || !words.test(error.message)) return error;
  return new BackendError("out-of-memory", `memory: expected room for the results, got ${error.message}`, {
    cause: error,
  });
}
