// AdamW, SGD and clipping against memory bandwidth, measured in the same run. See README.md.

import { createWasm } from "../dist/index.js";
import { type AdamwState, adamw, adamwState, clipGradNorm, sgd, sgdState } from "../dist/train.js";
import { interleave, type Timing, table } from "./measure.ts";
import { generator } from "./random.ts";
import { save } from "./report.ts";

const N = 4 << 20;
const hyper = { lr: 1e-3, betas: [0.9, 0.999] as const, eps: 1e-8, weightDecay: 0.01 };

interface Work {
  params: Float32Array;
  grads: Float32Array;
}

const wasm = await createWasm({ reserve: 6 * 4 * N + 4096 });
const held = makeWork((n) => wasm.allocate("f32", n));
const own = makeWork((n) => new Float32Array(n));
const momentum = sgdState(own.params);
const bare = { step: 0, m: [new Float32Array(N)], v: [new Float32Array(N)] };

/** Name, bytes read and written per parameter, and the run itself. */
const candidates: [name: string, bytes: number, run: () => unknown][] = [
  ["adamw, arrays of allocate", 28, adamwOf(held, adamwState(held.params, wasm))],
  ["adamw, own arrays", 28, adamwOf(own, adamwState(own.params))],
  ["adamw, own arrays, the state too", 28, adamwOf(own, bare)],
  ["AdamW as a JavaScript loop", 28, () => loop(own, bare)],
  ["sgd with momentum, own arrays", 20, () => sgd(own.params, own.grads, momentum, { momentum: 0.9 })],
  ["clipGradNorm that only measures", 4, () => clipGradNorm(own.grads, Infinity)],
];

check();
const scale = await scaling();
const timings = await interleave(
  [{ name: "scaling in place", run: scale }, ...candidates.map(([name, , run]) => ({ name, run }))],
  { rounds: 20, runs: 2, units: N },
);
report();

function makeWork(make: (n: number) => Float32Array): Work {
  const random = generator(1);
  const fill = (array: Float32Array): Float32Array => {
    for (let i = 0; i < N; i++) array[i] = random() - 0.5;
    return array;
  };
  return { params: fill(make(N)), grads: fill(make(N)) };
}

function adamwOf({ params, grads }: Work, state: AdamwState): () => void {
  return () => adamw(params, grads, state, hyper);
}

/** What you would write without a library. */
function loop({ params, grads }: Work, state: AdamwState): void {
  const { lr, betas, eps, weightDecay } = hyper;
  const [beta1, beta2] = betas;
  const [m, v] = [state.m[0] as Float32Array, state.v[0] as Float32Array];
  const t = ++state.step;
  const size = lr / (1 - beta1 ** t);
  const root = Math.sqrt(1 - beta2 ** t);
  for (let i = 0; i < N; i++) {
    const g = grads[i] as number;
    m[i] = beta1 * (m[i] as number) + (1 - beta1) * g;
    v[i] = beta2 * (v[i] as number) + (1 - beta2) * g * g;
    const denominator = Math.sqrt(v[i] as number) / root + eps;
    params[i] = (params[i] as number) * (1 - lr * weightDecay) - (size * (m[i] as number)) / denominator;
  }
}

/** Throws unless every form of AdamW agrees with the loop. */
function check(): void {
  const wanted = { params: own.params.slice(), grads: own.grads };
  const state = { step: 0, m: [new Float32Array(N)], v: [new Float32Array(N)] };
  for (let t = 0; t < 3; t++) loop(wanted, state);
  for (const work of [held, own]) {
    const params = work === held ? held.params : own.params.slice();
    const fresh = work === held ? adamwState(params, wasm) : adamwState(params);
    for (let t = 0; t < 3; t++) adamw(params, work.grads, fresh, hyper);
    if (work === held) [...fresh.m, ...fresh.v].forEach(wasm.free);
    const off = params.findIndex((x, i) => !(Math.abs(x - (wanted.params[i] as number)) <= 2e-7));
    if (off >= 0) throw new Error(`params[${off}]: expected ${wanted.params[off]}, got ${params[off]}`);
  }
}

/** x ← c·x in SIMD over as much memory as AdamW's four arrays, 8 bytes an element: 28 for each of N. */
async function scaling(): Promise<() => void> {
  const { bytes } = await import("../src/kernels/optim.gen.ts");
  const size = 3.5 * N;
  const pages = Math.ceil((4 * size) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  new Float32Array(memory.buffer).fill(1);
  const { instance } = await WebAssembly.instantiate(Buffer.from(bytes, "base64"), { env: { memory } });
  const scale = instance.exports["scale_f32"] as (x: number, n: number, factor: number) => void;
  return () => scale(0, size, 1.0000001);
}

function rows() {
  const { median: whole } = timings.get("scaling in place") as Timing;
  const limit = { name: "scaling in place", bytes: 28, ...(timings.get("scaling in place") as Timing), bandwidth: 1 };
  const ours = candidates.map(([name, bytes]) => {
    const timing = timings.get(name) as Timing;
    return { name, bytes, ...timing, bandwidth: (whole * bytes) / 28 / timing.median };
  });
  return [limit, ...ours];
}

function report(): void {
  console.log(`${N} parameters: ns each, and the share of the bandwidth of scaling in place\n`);
  const cells = rows().map(({ name, bytes, median, min, bandwidth }) => {
    return [name, String(bytes), median, min, `${(100 * bandwidth).toFixed(0)} %`];
  });
  console.log(table(["", "bytes", "median", "min", "bandwidth"], cells));
  save("optim", { parameters: N, unit: "ns per parameter", rows: rows() });
}
