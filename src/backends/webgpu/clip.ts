// Clipping by norm on gradients that live on the GPU: they are read twice and scaled where that is called for; the norm alone comes
// back. Squares are summed in units of a power of two that fits the largest gradient, so that none is lost or overflows.

import type { DeviceFloats } from "../../inputs/floats.ts";
import { readMaxNorm } from "../../train/clip.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { type GpuTensors, readGpuTensors, recordEach, slicesOf } from "./optim.ts";
import { eachWgsl, GROUP, nanWgsl } from "./prelude.wgsl.ts";
import { GROUP_LANES, type Reduction, reductionWgsl } from "./reduce.wgsl.ts";
import { type Gpu, submit } from "./submit.ts";

/** Gradients that one workgroup sums: 64 per lane, few enough for plain float32 sums. */
const CHUNK = 64 * GROUP_LANES;

// The bits of a float without its sign are in the order of sizes, infinities and NaN last.
const bitsWgsl = /* wgsl */ `
const INFINITY_BITS: u32 = 0x7f800000u;
const ONE_BITS: u32 = 0x3f800000u;
fn size_bits(bits: u32) -> u32 { return bits & 0x7fffffffu; }
// Of the power of two that numbers up to this size are counted in; its inverse is a normal number too.
fn exponent_of(size: u32) -> u32 { return clamp(size >> 23u, 1u, 253u); }
fn power_of(exponent: u32) -> f32 { return bitcast<f32>(exponent << 23u); }`;

/** For each chunk: the bits of the largest size, and Σ of squares in its unit. */
const squaresWgsl = (reduction: Reduction): string => {
  const { directives, functions, parameters, setup } = reductionWgsl[reduction];
  return /* wgsl */ `${directives}
${functions}${bitsWgsl}
struct Params { count: u32, g: u32, first: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> g: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec2u>;
@compute @workgroup_size(${GROUP_LANES}) fn main(${parameters}) {
  ${setup}
  let chunk = ${GROUP};
  let start = chunk * ${CHUNK}u;
  if (start >= params.count) { return; }
  let end = min(start + ${CHUNK}u, params.count);
  var size = 0u;
  for (var i = start + lane; i < end; i += ${GROUP_LANES}u) { size = max(size, size_bits(g[params.g + i])); }
  let most = ~reduce_least(~size, lane);
  let unit = power_of(254u - exponent_of(most));
  var sum = 0.0;
  for (var i = start + lane; i < end; i += ${GROUP_LANES}u) {
    let x = unit * bitcast<f32>(g[params.g + i]);
    sum += x * x;
  }
  let all = reduce_add(vec4f(sum, 0.0, 0.0, 0.0), lane);
  if (lane == 0u) { sums[params.first + chunk] = vec2u(most, bitcast<u32>(all.x)); }
}`;
};

/** The norm of all chunks, and what the gradients are scaled by: the bits of both. Twin of clipGradNorm. */
const normWgsl = (reduction: Reduction): string => {
  const { directives, functions, parameters, setup } = reductionWgsl[reduction];
  return /* wgsl */ `${directives}
${nanWgsl}${functions}${bitsWgsl}
struct Params { chunks: u32, clips: u32, most: f32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> result: vec2u;
@compute @workgroup_size(${GROUP_LANES}) fn main(${parameters}) {
  ${setup}
  var size = 0u;
  for (var k = lane; k < params.chunks; k += ${GROUP_LANES}u) { size = max(size, sums[k].x); }
  let most = ~reduce_least(~size, lane);
  let exponent = exponent_of(most);
  var sum = 0.0;
  for (var k = lane; k < params.chunks; k += ${GROUP_LANES}u) {
    let below = exponent - exponent_of(sums[k].x);
    if (below < 64u) {
      let unit = power_of(127u - below);
      sum += bitcast<f32>(sums[k].y) * unit * unit;
    }
  }
  let all = reduce_add(vec4f(sum, 0.0, 0.0, 0.0), lane);
  if (lane != 0u || group.x + group.y > 0u) { return; }
  if (most > INFINITY_BITS) {
    result = vec2u(NAN_BITS, NAN_BITS);
  } else if (most == INFINITY_BITS) {
    result = vec2u(INFINITY_BITS, select(ONE_BITS, 0u, params.clips != 0u));
  } else {
    let norm = sqrt(all.x) * power_of(exponent);
    let bound = norm + 1e-6;
    let scales = params.clips != 0u && bound > params.most;
    result = vec2u(bitcast<u32>(norm), select(ONE_BITS, bitcast<u32>(params.most / bound), scales));
  }
}`;
};

const scaleWgsl = /* wgsl */ `
${nanWgsl}${bitsWgsl}
struct Params { count: u32, g: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> result: vec2u;
@group(0) @binding(2) var<storage, read_write> g: array<u32>;
${eachWgsl("params.count")}
  let factor = result.y;
  if (factor == ONE_BITS) { return; }
  let size = size_bits(g[params.g + i]);
  let nan = factor == NAN_BITS || size > INFINITY_BITS || (size == INFINITY_BITS && factor == 0u);
  g[params.g + i] = bits_of(bitcast<f32>(factor) * bitcast<f32>(g[params.g + i]), nan);
}`;

/** Records the clipping of all gradients together; returns where their norm before is. */
export function recordClip(gpu: Gpu, commands: Commands, grads: readonly DeviceFloats[], maxNorm: number): Range {
  const parts = grads.flatMap((array) => slicesOf(gpu, [array]));
  const chunksOf = (count: number): number => Math.ceil(count / CHUNK);
  const chunks = parts.reduce((sum, { count }) => sum + chunksOf(count), 0);
  const sums = commands.scratch(8 * Math.max(1, chunks));
  let first = 0;
  for (const { count, shifts, ranges } of parts) {
    const params = commands.upload(packParams([{ u32: count }, ...shifts, { u32: first }]));
    commands.run(squaresWgsl(gpu.reduction), chunksOf(count), params, ...ranges, sums);
    first += chunksOf(count);
  }
  const result = commands.scratch(8);
  const clips = maxNorm < Infinity;
  const params = commands.upload(packParams([{ u32: chunks }, { u32: Number(clips) }, { f32: clips ? maxNorm : 0 }]));
  commands.run(normWgsl(gpu.reduction), 1, params, sums, result);
  for (const array of grads) recordEach(gpu, commands, scaleWgsl, [array], [], [result]);
  return { ...result, size: 4 };
}

/** Clips gradients on the GPU in place; resolves to their norm before: arguments and their meaning are those of `clipGradNorm`. */
export async function clipGradNormOnGpu(gpu: Gpu, grads: GpuTensors, maxNorm: number): Promise<number> {
  const most = readMaxNorm(maxNorm);
  const tensors = readGpuTensors({ grads }).flat();
  let norm = Number.NaN;
  await submit(gpu, (commands) => {
    commands.read(recordClip(gpu, commands, tensors, most), (bytes) => {
      [norm = Number.NaN] = new Float32Array(bytes);
    });
  });
  return norm;
}
