// What a head takes on the GPU: a matrix product in tiles, which makes logits of hidden states and gradients of both of
// gradients of logits; and how rows come together before it, and go apart after it.

import type { FloatType } from "../../inputs/floats.ts";
import { GROUP } from "./commands.ts";
import { encodeWgsl, perWord, readWgsl } from "./floats.wgsl.ts";
import { eachWgsl, nanWgsl } from "./pairs.wgsl.ts";

/** Rows and columns of the tile that one workgroup computes; a lane has 4 × 4 numbers of it. */
export const TILE = 64;
/** What it reads of both operands at a time: as much as every lane reads four numbers of each. */
const DEPTH = 16;
const LANES = 256;
const FOURS = TILE / 4;

/**
 * Four neighbouring numbers of an operand, of which `at(i, k)` is one, and their place in its tile. Neighbours in memory go to
 * neighbouring lanes, whichever way the operand lies.
 */
const fourOf = (
  name: string,
  count: string,
  start: string,
  at: (i: string, k: string) => string,
): string => /* wgsl */ `
    let along_${name} = params.${name}Depth == 1u;
    let four_${name} = select(lane % ${FOURS}u, lane / ${DEPTH}u, along_${name});
    let k_${name} = select(lane / ${FOURS}u, lane % ${DEPTH}u, along_${name});
    var ${name}4 = vec4f();
    for (var j = 0u; j < 4u; j++) {
      let i = ${start} + 4u * four_${name} + j;
      let k = depth + k_${name};
      if (i < params.${count} && k < params.depth) { ${name}4[j] = ${at("i", "k")}; }
    }`;

/**
 * out[i, j] = scale·Σ a[i, k]·b[k, j], plus what is there with `accumulate`; operands by strides, so that the transposed ones
 * are read where they are, and b of any type. Every operand is read once for each tile of the other, and from there on twice as
 * four numbers for 32 operations.
 */
export const productWgsl = (type: FloatType): string => /* wgsl */ `
struct Params {
  rows: u32, columns: u32, depth: u32, aRow: u32, aDepth: u32, bDepth: u32, bColumn: u32,
  shift: u32, to: u32, accumulate: u32, scale: f32,
}
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
var<workgroup> tileA: array<vec4f, ${DEPTH * FOURS}>;
var<workgroup> tileB: array<vec4f, ${DEPTH * FOURS}>;
${readWgsl(type, "b")}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tiles = (params.columns + ${TILE - 1}u) / ${TILE}u;
  let g = ${GROUP};
  let row = (g / tiles) * ${TILE}u;
  let column = (g % tiles) * ${TILE}u;
  if (row >= params.rows) { return; }
  let own = vec2u(lane / ${FOURS}u, lane % ${FOURS}u);
  var sums = array<vec4f, 4>();
  for (var depth = 0u; depth < params.depth; depth += ${DEPTH}u) {
    ${fourOf("a", "rows", "row", (i, k) => `a[${i} * params.aRow + ${k} * params.aDepth]`)}
    ${fourOf("b", "columns", "column", (i, k) => `at(params.shift + ${k} * params.bDepth + ${i} * params.bColumn)`)}
    workgroupBarrier();
    tileA[k_a * ${FOURS}u + four_a] = a4;
    tileB[k_b * ${FOURS}u + four_b] = b4;
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let x = tileA[k * ${FOURS}u + own.x];
      let y = tileB[k * ${FOURS}u + own.y];
      sums[0] += x.x * y;
      sums[1] += x.y * y;
      sums[2] += x.z * y;
      sums[3] += x.w * y;
    }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      let place = vec2u(row, column) + 4u * own + vec2u(i, j);
      if (place.x >= params.rows || place.y >= params.columns) { continue; }
      let to = params.to + place.x * params.columns + place.y;
      out[to] = params.scale * sums[i][j] + select(0.0, out[to], params.accumulate != 0u);
    }
  }
}`;

const isLive = /* wgsl */ `
fn is_live(k: u32) -> bool { return (slopes[k].y & 0x7fffffffu) != 0u; }`;

/**
 * The hidden states of tokens, one after another, as float32. On the way back those of tokens without a gradient are zeros:
 * what stands in them must not count as 0·∞.
 */
export const gatherWgsl = (type: FloatType, back: boolean): string => /* wgsl */ `
// Tokens begin .. begin + count − 1, of rows after \`first\`, to states that begin with token \`start\`.
struct Params { begin: u32, count: u32, first: u32, width: u32, shift: u32, start: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> hidden: array<u32>;
@group(0) @binding(3) var<storage, read_write> states: array<f32>;
${back ? `@group(0) @binding(4) var<storage, read> slopes: array<vec4u>;${isLive}` : ""}
${readWgsl(type, "hidden")}
${eachWgsl("params.count * params.width")}
  let k = params.begin + i / params.width;
  var x = 0.0;
  ${back ? "if (is_live(k))" : ""} { x = at(params.shift + (rows[k] - params.first) * params.width + i % params.width); }
  states[(k - params.start) * params.width + i % params.width] = x;
}`;

// The words of a row of numbers, each written by one lane; what lies behind the last number stays.
const storeWgsl = (type: FloatType): string => {
  if (type === "f32") return "to[params.to + i] = numberBits(i);";
  return /* wgsl */ `
  let e = 2u * i;
  var high = to[params.to / 2u + i] >> 16u;
  if (e + 1u < params.count) { high = numberBits(e + 1u); }
  to[params.to / 2u + i] = numberBits(e) | (high << 16u);`;
};

const wordsOf = (type: FloatType): string => (perWord(type) === 2 ? "(params.count + 1u) / 2u" : "params.count");

/** Gradients of hidden states to the rows of their tokens; 0 in every other row. */
export const scatterWgsl = (type: FloatType): string => /* wgsl */ `
${nanWgsl}
// \`count\` numbers of the rows from \`first\` on; states from token \`start\` on.
struct Params { count: u32, first: u32, width: u32, to: u32, start: u32, shift: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // of each row, one more
@group(0) @binding(2) var<storage, read> slopes: array<vec4u>;
@group(0) @binding(3) var<storage, read> states: array<f32>;
@group(0) @binding(4) var<storage, read_write> to: array<u32>;
${isLive}
${encodeWgsl(type)}
fn numberBits(e: u32) -> u32 {
  let k = tokens[params.first + e / params.width];
  if (k == 0u || !is_live(k - 1u)) { return 0u; }
  let x = states[params.shift + (k - 1u - params.start) * params.width + e % params.width];
  return encode(bits_of(x, is_nan(x)));
}
${eachWgsl(wordsOf(type))}
  ${storeWgsl(type)}
}`;

/** Gradients in their own type, over what is there or added to it. */
export const storeGradientWgsl = (type: FloatType): string => /* wgsl */ `
${nanWgsl}
struct Params { count: u32, to: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> to: array<u32>;
${readWgsl(type, "to")}
${encodeWgsl(type)}
fn numberBits(e: u32) -> u32 {
  let before = select(0.0, at(params.to + e), params.accumulate != 0u);
  let x = sums[e] + before;
  return encode(bits_of(x, is_nan(sums[e]) || is_nan(before)));
}
${eachWgsl(wordsOf(type))}
  ${storeWgsl(type)}
}`;
