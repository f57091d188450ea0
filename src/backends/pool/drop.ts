// A pool that nobody holds any more lets its workers go, where the engine can tell.

import { callNames } from "../../calls/bind-later.ts";
import type { AsyncBackend, Calls } from "../../types.ts";

const dropped =
  typeof FinalizationRegistry === "function" ? new FinalizationRegistry<() => void>((end) => end()) : undefined;

/**
 * The same backend in functions of its own; `end` is called when none of them is held by anyone and no call is under way. The
 * workers' listeners hold `backend` and `end`, so neither may know of what is returned here: the token lives in this scope alone.
 */
export function endWhenDropped(backend: AsyncBackend, end: () => void): AsyncBackend {
  const token = { calls: 0 };
  dropped?.register(token, end, token);
  /** A call under way holds the token. */
  const hold = async <T>(call: Promise<T>): Promise<T> => {
    token.calls++;
    try {
      return await call;
    } finally {
      token.calls--;
    }
  };
  const dispose = async (): Promise<void> => {
    dropped?.unregister(token);
    await backend.dispose();
  };
  const held = Object.fromEntries(
    callNames.map((name) => {
      const call = backend[name] as (...args: unknown[]) => Promise<unknown>;
      return [name, (...args: unknown[]) => hold(call(...args))];
    }),
  ) as unknown as Calls<true>;
  return {
    name: backend.name,
    get reason() {
      return backend.reason;
    },
    ...held,
    allocate: (...args) => backend.allocate(...args),
    free: (...args) => backend.free(...args),
    dispose,
    [Symbol.dispose]: () => void dispose(),
    [Symbol.asyncDispose]: dispose,
  };
}
