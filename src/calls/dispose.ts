// The end of a backend: every call after it is refused.

import { BackendError } from "../errors.ts";
import type { Backend } from "../types.ts";

type Calls = Omit<Backend, "name" | "reason" | "dispose" | typeof Symbol.dispose>;

/** A backend's calls, which work until `dispose` is called. */
export function untilDisposed(calls: Calls): Omit<Backend, "name" | "reason"> {
  const live = { ...calls };
  const dispose = (): void => {
    for (const name of Object.keys(calls) as (keyof Calls)[]) {
      live[name] = () => {
        throw new BackendError("disposed", `${name}: the backend was disposed of`);
      };
    }
  };
  return {
    pairLoss: (...args) => live.pairLoss(...args),
    sequenceLogps: (...args) => live.sequenceLogps(...args),
    logitsLoss: (...args) => live.logitsLoss(...args),
    linearLoss: (...args) => live.linearLoss(...args),
    allocate: (...args) => live.allocate(...args),
    free: (...args) => live.free(...args),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
