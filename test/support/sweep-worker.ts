// Runs sweeps of one build of assembly/__tests__/sweep.ts in a thread of its own.

import { parentPort, workerData } from "node:worker_threads";

/** A range of float32 numbers by their bits. */
export interface Sweep {
  name: string;
  first: number;
  last: number;
}

export interface Swept {
  name: string;
  /** The worst error in ulp, and the input that has it. */
  error: number;
  input: number;
  /** How many denormals came out where none went in. */
  denormals: number;
}

export interface Task {
  module: WebAssembly.Module;
  sweeps: readonly Sweep[];
  stride: number;
}

interface SweepExports {
  [name: `sweep_${string}`]: (first: number, last: number, stride: number) => number;
  worst_input: () => number;
  made_denormals: () => number;
}

const { module, sweeps, stride } = workerData as Task;
const exports = new WebAssembly.Instance(module).exports as unknown as SweepExports;
const swept = sweeps.map(({ name, first, last }): Swept => {
  const error = exports[`sweep_${name}`]?.(first, last, stride) ?? Number.NaN;
  return { name, error, input: exports.worst_input(), denormals: exports.made_denormals() };
});
parentPort?.postMessage(swept);
