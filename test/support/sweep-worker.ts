// Runs sweeps of one build of assembly/__tests__/sweep.ts in a thread of its own.

import { parentPort, workerData } from "node:worker_threads";

/** A range of float32 numbers by their bits. */
export interface Sweep {
  name: string;
  first: number;
  last: number;
  /** Whether these stand for those of the other sign, too. */
  isMirrored?: boolean;
}

export interface Swept {
  name: string;
  /** The worst error in ulp, and the input that has it. */
  error: number;
  input: number;
  /** How many denormals came out where none went in. */
  denormals: number;
  /** Where they stand for those of the other sign: how many groups of four do not. */
  asymmetries: number;
}

export interface Task {
  module: WebAssembly.Module;
  sweeps: readonly Sweep[];
  stride: number;
}

interface SweepExports {
  [name: `sweep_${string}`]: (first: number, last: number, stride: number) => number;
  [name: `asymmetries_${string}`]: (first: number, last: number, stride: number) => number;
  worst_input: () => number;
  made_denormals: () => number;
}

const { module, sweeps, stride } = workerData as Task;
const exports = new WebAssembly.Instance(module).exports as unknown as SweepExports;
const swept = sweeps.map(({ name, first, last, isMirrored }): Swept => {
  const error = exports[`sweep_${name}`]?.(first, last, stride) ?? Number.NaN;
  const [input, denormals] = [exports.worst_input(), exports.made_denormals()];
  const asymmetries = isMirrored ? (exports[`asymmetries_${name}`]?.(first, last, stride) ?? Number.NaN) : 0;
  return { name, error, input, denormals, asymmetries };
});
parentPort?.postMessage(swept);
