// The calls of dpo-kernels that are timed, and the loop that measures the machine's peak.

import { readFileSync } from "node:fs";
import type { Backend } from "../../dist/index.js";
import { options, type Problem, type Results } from "./problem.ts";

const load = (file: string) => new WebAssembly.Module(readFileSync(new URL(`../../dist/${file}`, import.meta.url)));
const modules = { plain: load("kernels.wasm"), relaxed: load("kernels-relaxed.wasm") };
export type Build = keyof typeof modules;
export const builds = ["plain", "relaxed"] as const;

// No system counter includes WebAssembly memory.
const memories: WebAssembly.Memory[] = [];
const { Memory } = WebAssembly;
WebAssembly.Memory = class extends Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }
};

/** Bytes of all buffers, including garbage. */
export const bufferBytes = (): number =>
  memories.reduce((sum, { buffer }) => sum + buffer.byteLength, process.memoryUsage().external);

/** Log-probs alone, and the whole of a loss into `out`. */
export function makeCalls(backend: Backend, { shape, hidden, weight, tokens }: Problem) {
  const { rows, width, vocab } = shape;
  const out = { gradHidden: new Float32Array(rows * width), gradWeight: new Float32Array(vocab * width) };
  const reference = { logps: new Float64Array(2 * tokens.pairs) };
  const head = { tokens, vocab, hiddenSize: width, hidden, weight };
  const batch = { ...head, reference };
  // Close to the policy, as references are; otherwise the sigmoid saturates.
  const call = () => backend.linearLoss(batch, { ...options, out });
  const prepare = () => reference.logps.set(call().logps);
  return {
    forward: (): Results => ({ logps: backend.sequenceLogps(head).tokenLogps }),
    both: (): Results => ({ logps: call().tokenLogps, ...out }),
    prepare,
    call,
    out,
  };
}

const DEPTH = 256;
const TIMES = 40_000;
/** Floating-point operations of a run of the peak. */
export const peakWork = TIMES * 2 * 12 * 8 * DEPTH;

/** Repeats two or three tiles of the matrix product on the same data: 128-bit multiply-add at its fastest. */
export function makePeak(build: Build): () => void {
  const memory = new WebAssembly.Memory({ initial: 3, maximum: 65536 });
  const imports = { env: { memory, scratch: 16384, abort: () => {} } };
  const gemm = new WebAssembly.Instance(modules[build], imports).exports["gemm_f32"] as (...given: number[]) => void;
  const [a, b, c] = [65536, 65536 + 48 * DEPTH, 65536 + 80 * DEPTH];
  return () => {
    for (let k = 0; k < TIMES; k++) gemm(a, b, c, 12, 8, DEPTH, 8, 0);
  };
}
