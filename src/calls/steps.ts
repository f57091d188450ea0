// A call is a generator of steps, so that it is written once: each step is done when it is yielded, or a promise to wait for.

import { typedError } from "../checks/memory.ts";
import type { MaybePromise } from "../engine.ts";

export type Steps<T, S extends MaybePromise = MaybePromise> = Generator<S, T>;

/** The steps at once: of an engine of this thread, which promises nothing. */
export function runNow<T>(steps: Steps<T, void>): T {
  try {
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  } catch (error) {
    throw typedError(error);
  }
}
