// Rows of logits: forward to a maximum and sums, backward to g·(1[v = id] − softmax). Long rows are split over several workgroups.
// The forward pass reads each logit from memory once (the second pass over a chunk finds it in the cache); the backward pass reads
// and writes it once.

import type { FloatType } from "../../inputs/floats.ts";
import { encodeWgsl, perWord, readWgsl } from "./floats.wgsl.ts";
import { mathWgsl } from "./math.wgsl.ts";
import { eachWgsl, GROUP, nanWgsl } from "./prelude.wgsl.ts";
import { GROUP_LANES, type Reduction, reductionWgsl } from "./reduce.wgsl.ts";
import { transformWgsl } from "./transform.wgsl.ts";

/** Logits that one workgroup of the forward pass reads: 64 per lane, few enough for plain float32 sums. */
export const FORWARD_CHUNK = 64 * GROUP_LANES;

/** Words that one workgroup of the backward pass writes. */
export const BACKWARD_CHUNK = 16 * GROUP_LANES;

/** Words of the sums of a chunk or a row. */
export const SUMS_WORDS = 8;

/**
 * For each chunk of each token's row: maximum, Σ e^(x−max), index of the first maximum plus 1 (0 if there is a NaN), the target's
 * logit; with statistics also Σ e^(x−max)·(x−max), Σ e^2(x−max), Σ x. Statistics are switched by a parameter, not by another
 * shader: compilers may reorder sums and products, and only the same code gives the same bits.
 */
export const forwardWgsl = (type: FloatType, reduction: Reduction): string => {
  const { directives, functions, parameters, setup } = reductionWgsl[reduction];
  return /* wgsl */ `${directives}
${mathWgsl}${nanWgsl}${functions}
// Tokens begin .. begin + count − 1; rows from row \`first\` on, with \`ids\` ids from \`id\` on; \`own\` of a token's \`chunks\` chunks, from \`chunk\` on.
struct Params { begin: u32, count: u32, first: u32, shift: u32, id: u32, ids: u32, own: u32, chunk: u32, chunks: u32, statistics: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<vec2u>; // row, target
@group(0) @binding(2) var<storage, read> logits: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<array<u32, ${SUMS_WORDS}>>;
${readWgsl(type, "logits")}
@compute @workgroup_size(${GROUP_LANES}) fn main(${parameters}) {
  ${setup}
  let g = ${GROUP};
  if (g >= params.count * params.own) { return; }
  let k = params.begin + g / params.own;
  let token = tokens[k];
  let start = (g % params.own) * ${FORWARD_CHUNK}u;
  let end = min(start + ${FORWARD_CHUNK}u, params.ids);
  let base = params.shift + (token.x - params.first) * params.ids;
  var top = -3.4028234663852886e38;
  var nan = false;
  for (var v = start + lane; v < end; v += ${GROUP_LANES}u) {
    let x = at(base + v);
    nan = nan || is_nan(x);
    top = select(top, x, x > top);
  }
  let most = reduce_max(top, lane);
  var sum = vec4f(0.0);
  var first = 0xffffffffu;
  for (var v = start + lane; v < end; v += ${GROUP_LANES}u) {
    let x = at(base + v);
    let below = x - most;
    let e = exp_f32(below);
    sum.x += e;
    if (params.statistics != 0u) { sum += vec4f(0.0, select(0.0, e * below, e > 0.0), e * e, x); }
    if (x == most) { first = min(first, params.id + v + 1u); }
  }
  let all = reduce_add(sum, lane);
  let place = reduce_least(select(first, 0u, nan), lane);
  if (lane != 0u) { return; }
  var label = 0.0;
  let v = token.y - params.id;
  if (v >= start && v < end) { label = at(base + v); }
  sums[k * params.chunks + params.chunk + g % params.own] = array<u32, ${SUMS_WORDS}>(bitcast<u32>(most), bitcast<u32>(all.x), place, bitcast<u32>(label),
    bitcast<u32>(all.y), bitcast<u32>(all.z), bitcast<u32>(all.w), 0u);
}`;
};

/**
 * Combines the chunks of each token: maximum, sum (NaN if the row has no softmax, 0 if all of it is −∞), whether the target is the
 * first maximum, its logit, statistics, index of the first maximum.
 */
export const combineWgsl = /* wgsl */ `
${mathWgsl}${nanWgsl}
struct Params { tokens: u32, chunks: u32, span: u32 } // span: ids per chunk
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<vec2u>;
@group(0) @binding(2) var<storage, read> chunks: array<array<u32, ${SUMS_WORDS}>>;
@group(0) @binding(3) var<storage, read_write> sums: array<array<u32, ${SUMS_WORDS}>>;
${eachWgsl("params.tokens")}
  let begin = i * params.chunks;
  let end = begin + params.chunks;
  var most = bitcast<f32>(chunks[begin][0]);
  var nan = false;
  for (var c = begin; c < end; c++) {
    let top = bitcast<f32>(chunks[c][0]);
    most = select(most, top, top > most);
    nan = nan || chunks[c][2] == 0u;
  }
  var sum = 0.0;
  var weighted = 0.0;
  var squares = 0.0;
  var total = 0.0;
  var first = 0xffffffffu;
  for (var c = begin; c < end; c++) {
    let below = bitcast<f32>(chunks[c][0]) - most;
    let e = exp_f32(below);
    let own = bitcast<f32>(chunks[c][1]);
    sum += e * own;
    // A chunk that is −∞ throughout, or that vanishes beside the others, adds nothing.
    weighted += select(0.0, e * (bitcast<f32>(chunks[c][4]) + own * below), e > 0.0 && own > 0.0);
    squares += e * e * bitcast<f32>(chunks[c][5]);
    total += bitcast<f32>(chunks[c][6]);
    if (below == 0.0) { first = min(first, chunks[c][2]); }
  }
  let total_nan = nan;
  // A maximum of ∞ gives ∞ − ∞. A sum of 0: the whole row is −∞.
  nan = nan || bitcast<u32>(most) == 0x7f800000u;
  let empty = !nan && sum == 0.0;
  let id = tokens[i].y;
  sums[i] = array<u32, ${SUMS_WORDS}>(select(bits_of(most, nan), MINUS_INFINITY_BITS, empty), select(bits_of(sum, nan), 0u, empty),
    select(0u, 1u, !nan && !empty && first == id + 1u), chunks[begin + id / params.span][3],
    bits_of(weighted, nan), bits_of(squares, nan), bits_of(total, total_nan), first - 1u);
}`;

export interface GradientTypes {
  readonly logits: FloatType;
  readonly gradient: FloatType;
  /** Whether the gradient overwrites the logits: one binding then, instead of two. */
  readonly inPlace: boolean;
  /** Whether the logits are those before a transform. */
  readonly transforms: boolean;
  /** Whether entropies have gradients too. */
  readonly entropies: boolean;
}

/**
 * g·(1[v = id] − e^(x−max)/sum) for each row, less h·p·(log p + H) with entropies, times the slope of the transform; 0 where g is 0. An
 * infinite g gives infinities, and 0 where another factor is 0. A word that two rows share is written by the first of them.
 */
export const backwardWgsl = ({ logits, gradient, inPlace, transforms, entropies }: GradientTypes): string => {
  const two = perWord(gradient) === 2;
  const bindings = inPlace ? 3 : 4;
  return /* wgsl */ `
${mathWgsl}${nanWgsl}${transforms ? transformWgsl : ""}
// \`rows\` rows with \`ids\` ids from \`id\` on; their slopes from \`first\` on.
struct Params { rows: u32, first: u32, id: u32, ids: u32, chunks: u32, shift: u32, to: u32${transforms ? ", inner: f32, outer: f32" : ""} }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> slopes: array<vec4u>; // id, g, max, sum
@group(0) @binding(2) var<storage, read_write> gradient: array<u32>;
${inPlace ? "" : "@group(0) @binding(3) var<storage, read> logits: array<u32>;"}
${entropies ? `@group(0) @binding(${bindings}) var<storage, read> entropies: array<vec2f>; // h, mean of x − max` : ""}
${readWgsl(logits, inPlace ? "gradient" : "logits")}
${encodeWgsl(gradient)}
fn entry(row: u32, v: u32) -> u32 {
  let it = slopes[params.first + row];
  if ((it.y & 0x7fffffffu) == 0u) { return 0u; }
  let g = bitcast<f32>(it.y);
  let sum = bitcast<f32>(it.w);
  ${transforms ? "let x = transformed(at(params.shift + row * params.ids + v), params.inner, params.outer);" : "let x = at(params.shift + row * params.ids + v);"}
  ${transforms ? "let slope = slope_at(x, params.inner, params.outer);" : ""}
  let is_label = params.id + v == it.x;
  let nan = is_nan(sum) || it.w == 0u || is_nan(g);
  if (!nan && (it.y & 0x7fffffffu) == 0x7f800000u) {
    // By bits alone: a factor of 0 prevails over an infinite g, as in assembly/logprob-grad.ts.
    let has_none = select(bitcast<u32>(x) == MINUS_INFINITY_BITS, bitcast<u32>(x) == it.z && it.w == 0x3f800000u, is_label);
    ${transforms ? "if (is_zero(slope)) { return 0u; }" : ""}
    return encode(select(select(it.y ^ 0x80000000u, it.y, is_label), 0u, has_none));
  }
  let p = exp_f32(x - bitcast<f32>(it.z)) / sum;
  ${entropies || transforms ? "var" : "let"} d = select(-g * p, g - g * p, is_label);
  ${
    entropies
      ? /* wgsl */ `let entropy = entropies[params.first + row];
  d -= select(entropy.x * p * (x - bitcast<f32>(it.z) - entropy.y), 0.0, is_zero(p));`
      : ""
  }
  ${transforms ? "d = select(d * slope, 0.0, is_zero(slope));" : ""}
  return encode(bits_of(d, nan));
}
@compute @workgroup_size(${GROUP_LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let job = ${GROUP};
  let row = job / params.chunks;
  if (row >= params.rows) { return; }
  let base = row * params.ids;
  let start = ${two ? "(base + 1u) / 2u" : "base"} + (job % params.chunks) * ${BACKWARD_CHUNK}u;
  let end = min(start + ${BACKWARD_CHUNK}u, ${two ? "(base + params.ids + 1u) / 2u" : "base + params.ids"});
  for (var w = start + lane; w < end; w += ${GROUP_LANES}u) {
    ${
      two
        ? /* wgsl */ `
    let v = 2u * w - base;
    let low = entry(row, v);
    var high = 0u;
    if (v + 1u < params.ids) { high = entry(row, v + 1u); }
    else if (row + 1u < params.rows) { high = entry(row + 1u, 0u); }
    else { high = gradient[params.to / 2u + w] >> 16u; } // what follows the last row is kept
    gradient[params.to / 2u + w] = low | (high << 16u);`
        : "gradient[params.to + w] = entry(row, w - base);"
    }
  }
}`;
};
