// A process of its own for the memory tests of linearLoss, run with --expose-gc: what a call takes beyond head, hidden states and
// their gradients, and what calls leave behind. Arguments: backend, rows, width, vocabulary, calls, bytes of logits that a call may
// keep (-1: the default). Prints a line of JSON.

import { readFileSync, writeFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { createJs, createWasm } from "../../src/index.ts";

export interface LinearMemory {
  /** Bytes of buffers after the first call beyond those before it. */
  buffers: number;
  /** Growth of the process at its worst during that call; undefined where the system does not say. */
  resident: number | undefined;
  /** Growth over the calls after it. */
  kept: number;
  seconds: number;
}

// No figure of the system counts the memory of WebAssembly.
const memories: WebAssembly.Memory[] = [];
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }
};
const bufferBytes = (): number =>
  memories.reduce((sum, { buffer }) => sum + buffer.byteLength, process.memoryUsage().external);

const { gc } = globalThis as unknown as { gc: () => void };

const residentBytes = (field: "VmHWM" | "VmRSS"): number | undefined => {
  try {
    const [, kilobytes] = readFileSync("/proc/self/status", "utf8").match(`${field}:\\s+(\\d+) kB`) ?? [];
    return kilobytes ? 1024 * Number(kilobytes) : undefined;
  } catch {
    return undefined;
  }
};

// Buffers that are garbage are freed by a thread of their own.
async function used(): Promise<number> {
  for (let k = 0; k < 3; k++) {
    gc();
    await setImmediate();
  }
  return process.memoryUsage().heapUsed + bufferBytes();
}

const [name, ...sizes] = process.argv.slice(2);
const [rows = 0, width = 0, vocab = 0, calls = 0, keep = -1] = sizes.map(Number);
const backend = name === "js" ? createJs() : await createWasm({ relaxed: name === "relaxed" });
const pairs = 4;
const tokens = {
  pairs,
  offsets: Int32Array.from({ length: 2 * pairs + 1 }, (_, r) => Math.floor((r * rows) / (2 * pairs))),
  targets: Int32Array.from({ length: rows }, (_, k) => (k * 7919) % vocab),
};
// In place: copies that are garbage would be counted. Every page is touched, that of gradients too.
const filled = (n: number, spread: number): Float32Array => {
  const values = new Float32Array(n);
  for (let i = 0; i < n; i++) values[i] = spread * (((i * 2654435761) % 1024) / 512 - 1);
  return values;
};
const hidden = filled(rows * width, 1);
const weight = filled(vocab * width, 0.05);
const out = { gradHidden: filled(rows * width, 1), gradWeight: filled(vocab * width, 1) };
const reference = { logps: new Float64Array(2 * pairs).fill((-12 * rows) / (2 * pairs)) };
const options = keep < 0 ? { out } : { out, keep };
const call = () => backend.linearLoss({ tokens, vocab, hiddenSize: width, hidden, weight, reference }, options);

await used();
try {
  writeFileSync("/proc/self/clear_refs", "5");
} catch {
  // Elsewhere than on Linux nothing is read either.
}
const before = bufferBytes();
const resident = residentBytes("VmRSS");
const start = performance.now();
const { loss } = call();
const seconds = (performance.now() - start) / 1000;
const most = residentBytes("VmHWM");
const buffers = bufferBytes() - before;
if (!Number.isFinite(loss)) throw new Error(`loss: expected a number, got ${loss}`);
const settled = await used();
for (let k = 0; k < calls; k++) call();
const report: LinearMemory = {
  buffers,
  resident: most !== undefined && resident !== undefined ? most - resident : undefined,
  kept: (await used()) - settled,
  seconds,
};
console.log(JSON.stringify(report));
