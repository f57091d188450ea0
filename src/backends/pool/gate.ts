// A word of shared memory between the pool and one worker: whether the worker is at a task, and whether it may go on. Ending a
// worker takes effect some time later, and most engines do not say when; what matters is that it no longer writes.

/** The word; views of shared memory go to a worker by reference. */
export type Gate = Int32Array<SharedArrayBuffer>;

const BUSY = 1;
const SHUT = 2;

export const createGate = (): Gate => new Int32Array(new SharedArrayBuffer(4));

/** The worker begins a task; false if it may not, ever again. */
export function enter(gate: Gate): boolean {
  if (!(Atomics.or(gate, 0, BUSY) & SHUT)) return true;
  leave(gate);
  return false;
}

/** The worker has written the last of a task. */
export const leave = (gate: Gate): void => void Atomics.and(gate, 0, ~BUSY);

/** No task begins any more. */
export const shut = (gate: Gate): void => void Atomics.or(gate, 0, SHUT);

export const isShut = (gate: Gate): boolean => (Atomics.load(gate, 0) & SHUT) !== 0;

/** Whether the worker has left a gate that is shut, within so many milliseconds. */
export async function becomesQuiet(gate: Gate, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (Atomics.load(gate, 0) & BUSY) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}
