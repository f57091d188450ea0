// AdamW on parameters that live on the GPU: 16 bytes read and 12 written a parameter, nothing waited for.

import { KindError, ShapeError } from "../../errors.ts";
import { kindOf } from "../../plan/plan.ts";
import { type AdamwHyper, factorsOf } from "../../train/adamw.ts";
import { readState, setStep } from "../../train/hyper.ts";
import { packParams } from "./commands.ts";
import { deviceFloatsOf, isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { type Piece, toDeviceRows } from "./device-rows.ts";
import { eachWgsl, groupsOf } from "./prelude.wgsl.ts";
import { type Gpu, submit } from "./submit.ts";
import type { GpuArray } from "./types.ts";

/** Steps taken, and the running means of gradient and squared gradient: float32 buffers, zero at first. */
export interface GpuAdamwState {
  step: number;
  readonly m: GpuArray;
  readonly v: GpuArray;
}

const names = ["params", "grads", "state.m", "state.v"] as const;

// Twin of adamw_f32: the same roundings but for sqrt and division, which WGSL allows to be off.
const adamwWgsl = /* wgsl */ `
struct Params {
  count: u32, p: u32, g: u32, m: u32, v: u32,
  keep: f32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, rate: f32, eps: f32,
}
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
${eachWgsl("params.count")}
  let slope = g[params.g + i];
  let mean = params.beta1 * m[params.m + i] + params.rest1 * slope;
  let square = params.beta2 * v[params.v + i] + params.rest2 * slope * slope;
  m[params.m + i] = mean;
  v[params.v + i] = square;
  p[params.p + i] = params.keep * p[params.p + i] - (params.rate * mean) / (sqrt(square) + params.eps);
}`;

/** One step, in place, on four buffers of as many float32: hyperparameters and their meaning are those of `adamw`. */
export function adamwOnGpu(
  gpu: Gpu,
  params: GpuArray,
  grads: GpuArray,
  state: GpuAdamwState,
  hyper: AdamwHyper,
): Promise<void> {
  const { step: taken, m, v } = readState(state, ["step", "m", "v"]);
  const { keep, beta1, beta2, rate, eps, step } = factorsOf(hyper, { step: taken });
  const arrays = [params, grads, m, v].map((array, k) => {
    const name = names[k] as string;
    if (!isGpuArray(array)) throw new KindError(`${name}: expected a GPU buffer, got ${kindOf(array)}`);
    return { array, name, range: plainRangeOf(array, name, "STORAGE") };
  });
  const bytes = arrays[0]?.range.size ?? 0;
  const buffers = new Set(arrays.map(({ array }) => array.buffer));
  if (buffers.size < arrays.length) {
    throw new ShapeError("overlap", "adamw: expected four buffers, got one of them twice");
  }
  const placed = arrays.map(({ array, name, range }) => {
    if (range.size !== bytes) {
      throw new ShapeError("wrong-length", `${name}: expected ${bytes} bytes (params), got ${range.size}`);
    }
    return toDeviceRows(gpu, deviceFloatsOf(array, name, bytes / 4), 1).pieces;
  });
  setStep(state, step);
  const done = submit(gpu, (commands) => {
    (placed[0] as readonly Piece[]).forEach(({ rows }, k) => {
      const pieces = placed.map((list) => list[k] as Piece);
      const integers = [rows, ...pieces.map(({ shift }) => shift)].map((u32) => ({ u32 }));
      const block = commands.upload(packParams([...integers, [keep, beta1, 1 - beta1, beta2, 1 - beta2, rate, eps]]));
      commands.run(adamwWgsl, groupsOf(rows), block, ...pieces.map(({ range }) => range));
    });
  });
  // Later calls count on it at once; a step that the device refused was none.
  done.catch(() => {
    state.step--;
  });
  return done;
}
