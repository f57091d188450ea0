import type { RunningMean } from "../plan/running-mean.ts";

/** Calls that update the same running mean go one after the other, in call order; all others at once. */
export function createOrder() {
  const last = new WeakMap<RunningMean, Promise<unknown>>();
  return <T>(options: object, start: () => Promise<T>): Promise<T> => {
    const { rewardShift: shift } = (options ?? {}) as { rewardShift?: unknown };
    if (typeof shift !== "object" || shift === null) return start();
    const before = last.get(shift as RunningMean) ?? Promise.resolve();
    const now = before.then(start);
    const settled = now.then(
      () => {},
      () => {},
    );
    last.set(shift as RunningMean, settled);
    return now;
  };
}
