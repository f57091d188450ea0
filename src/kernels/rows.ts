// Rows of logits on the SIMD kernels. A row is taken in blocks through a small staging buffer, so that logits of any size stay
// where the caller has them; rows that lie in the backend's memory are used in place.

import type { RowEngine, RowSums } from "../cpu/rows.ts";
import type { FloatData, FloatType } from "../inputs/floats.ts";
import type { KernelExports } from "./load.ts";

/**
 * Logits per block: the kernels' own (assembly/row-blocks.ts), so that a staged row gives the bits of one that lies in memory.
 * measured: 8192 and 16384 are no faster.
 */
const BLOCK = 32768;
const STATE_BYTES = 64;
const bytesOf = { f32: 4, f16: 2, bf16: 2 } as const satisfies Record<FloatType, number>;

/** Logits per block where they are transformed: three float32 areas of it and one of halves, all in the L1 cache; the kernels' own. measured: 8192 cost 0.2 ns per logit more. */
const CHAIN_BLOCK = 2048;

/** The memory that rows need, whatever their length. */
export const rowBytes = 2 * 4 * BLOCK + STATE_BYTES;

/** Makes the engine of `sequenceLogps` and `logitsLoss`, with its staging from byte `base` of the memory on. */
export function rowEngine(
  kernels: KernelExports,
  buffer: ArrayBuffer,
  base: number,
  holdsArray: (array: ArrayBufferView) => boolean,
): RowEngine {
  const inAt = base;
  const outAt = base + 4 * BLOCK;
  const stateAt = base + 8 * BLOCK;
  const state = new Float64Array(buffer, stateAt, 5);
  const view = (type: FloatType, at: number) => new (type === "f32" ? Float32Array : Uint16Array)(buffer, at, BLOCK);
  const inViews = { f32: view("f32", inAt), f16: view("f16", inAt), bf16: view("bf16", inAt) };
  const outView = view("f32", outAt);
  const sums: RowSums = { max: 0, sum: 0, weighted: 0, squares: 0, total: 0 };
  const target = { ...sums, label: 0, hit: false };
  // Where logits are transformed: as they are, in float32, transformed, and the gradient.
  const halvesAt = inAt;
  const wideAt = inAt + 4 * CHAIN_BLOCK;
  const [zAt, gradAt] = [outAt, outAt + 4 * CHAIN_BLOCK];
  const halves = new Uint16Array(buffer, halvesAt, CHAIN_BLOCK);
  const wide = new Float32Array(buffer, wideAt, CHAIN_BLOCK);
  const [zView, gradView] = [new Float32Array(buffer, zAt, CHAIN_BLOCK), new Float32Array(buffer, gradAt, CHAIN_BLOCK)];

  const holds = ({ data }: FloatData): boolean => holdsArray(data);
  const address = ({ type, data }: FloatData, at: number): number => data.byteOffset + bytesOf[type] * at;

  /** The address of n float32 logits: where they lie, or their copy. */
  const widened = (logits: FloatData, from: number, n: number): number => {
    const { type, data } = logits;
    if (type !== "f32") {
      halves.set((data as Uint16Array).subarray(from, from + n));
      kernels[`widen_${type}`](halvesAt, wideAt, whole(n));
    } else if (holds(logits)) return address(logits, from);
    else wide.set((data as Float32Array).subarray(from, from + n));
    return wideAt;
  };

  // The address of n logits: where they lie, or their copy.
  const place = (floats: FloatData, from: number, n: number): number => {
    if (holds(floats)) return address(floats, from);
    inViews[floats.type].set(floats.data.subarray(from, from + n));
    return inAt;
  };

  return {
    read(logits, row, vocab, statistics) {
      const kernel = kernels[`${statistics ? "logits_stats" : "logsumexp"}_${logits.type}` as const];
      const block = holds(logits) ? vocab : BLOCK;
      state.set(fresh);
      for (let i = 0; i < vocab; i += block) {
        const n = Math.min(block, vocab - i);
        kernel(place(logits, row * vocab + i, n), n, stateAt);
      }
      sums.max = state[0] as number;
      sums.sum = state[1] as number;
      sums.weighted = state[2] as number;
      sums.squares = state[3] as number;
      sums.total = state[4] as number;
      return sums;
    },
    // The row is cut where the label stands, so that the maximum before it is known: the first of the greatest logits counts.
    readThrough(logits, row, vocab, id, statistics, { inner, outer }, kept) {
      const kernel = kernels[statistics ? "logits_stats_through_f32" : "logsumexp_through_f32"];
      const direct = kept !== undefined && holds(kept);
      const block = direct && logits.type === "f32" && holds(logits) ? vocab : CHAIN_BLOCK;
      state.set(fresh);
      let before = -Infinity;
      for (let i = 0; i < vocab; ) {
        if (i === id) before = state[0] as number;
        const n = Math.min(block, (i < id ? id : vocab) - i);
        const from = row * vocab + i;
        const z = direct ? address(kept, from) : zAt;
        kernel(widened(logits, from, n), z, n, stateAt, inner, outer);
        if (kept && !direct) kept.data.set(zView.subarray(0, n), from);
        if (i === id) target.label = (direct ? kept.data[from] : zView[0]) as number;
        i += n;
      }
      target.max = state[0] as number;
      target.sum = state[1] as number;
      target.weighted = state[2] as number;
      target.squares = state[3] as number;
      target.total = state[4] as number;
      target.hit = target.label === target.max && before < target.label;
      return target;
    },
    gradientThrough(logits, row, vocab, id, { g, h, max, sum, mean }, transform, out, kept) {
      const { inner, outer } = transform ?? { inner: 1, outer: 0 };
      const direct = h === 0 && out.type === "f32" && holds(out);
      const block = direct && kept ? vocab : CHAIN_BLOCK;
      for (let i = 0; i < vocab; i += block) {
        const n = Math.min(block, vocab - i);
        const from = row * vocab + i;
        const label = id >= i && id < i + n ? id - i : -1;
        const to = direct ? address(out, from) : gradAt;
        const z = direct && kept ? to : zAt;
        if (!kept) kernels.transform_f32(widened(logits, from, n), z, n, inner, outer);
        else if (z === zAt) zView.set(kept.data.subarray(from, from + n));
        if (h === 0) kernels.logits_grad_through_f32(z, to, n, label, g, max, sum, inner, outer);
        else {
          kernels.entropy_grad_f32(z, to, n, label, g, h, max, sum, mean);
          if (transform) kernels.transform_grad_f32(z, to, n, inner, outer);
        }
        if (direct) continue;
        if (out.type === "f32") out.data.set(gradView.subarray(0, n), from);
        else {
          kernels[`narrow_${out.type}`](gradAt, halvesAt, whole(n));
          out.data.set(halves.subarray(0, n), from);
        }
      }
    },
    gradient(logits, row, vocab, id, g, { max, sum }, out) {
      const same = out.type === logits.type;
      const kernel = same ? kernels[`logits_grad_${logits.type}`] : kernels[widening[logits.type]];
      const block = holds(logits) && holds(out) ? vocab : BLOCK;
      for (let i = 0; i < vocab; i += block) {
        const n = Math.min(block, vocab - i);
        const from = row * vocab + i;
        const label = id >= i && id < i + n ? id - i : -1;
        const x = place(logits, from, n);
        const to = holds(out) ? address(out, from) : same ? inAt : outAt;
        kernel(x, to, n, label, g, max, sum);
        if (!holds(out)) out.data.set((same ? inViews[out.type] : outView).subarray(0, n), from);
      }
    },
  };
}

/** Half types are converted sixteen at a time. */
const whole = (n: number): number => (n + 15) & ~15;

const fresh = [-Infinity, 0, 0, 0, 0];

// Half logits whose gradient is wanted in float32; float32 logits have no other.
const widening = { f32: "logits_grad_f32", f16: "logits_grad_f16_f32", bf16: "logits_grad_bf16_f32" } as const;
