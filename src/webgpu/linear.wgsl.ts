// A matrix product in tiles: what makes logits of hidden states, and gradients of both of gradients of logits.

import { GROUP } from "./commands.ts";

/** Rows and columns of the tile that one workgroup computes, 4 × 4 numbers a lane; what it reads of both at a time. */
export const TILE = 64;
const DEPTH = 16;
const LANES = 256;

/**
 * out[i, j] = Σ a[i, k]·b[k, j], plus what is there with `accumulate`; operands by strides, so that the transposed ones are
 * read where they are. Every operand is read once for each tile of the other, from there on it is in workgroup memory: a
 * tile of 64 does 32 operations for each number read.
 */
export const productWgsl = /* wgsl */ `
struct Params { rows: u32, columns: u32, depth: u32, aRow: u32, aDepth: u32, bDepth: u32, bColumn: u32, accumulate: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
var<workgroup> tileA: array<f32, ${DEPTH * TILE}>;
var<workgroup> tileB: array<f32, ${DEPTH * TILE}>;
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let tiles = (params.columns + ${TILE - 1}u) / ${TILE}u;
  let g = ${GROUP};
  let row = (g / tiles) * ${TILE}u;
  let column = (g % tiles) * ${TILE}u;
  if (row >= params.rows) { return; }
  let own = vec2u(lane / 16u, lane % 16u) * 4u;
  var sums = array<vec4f, 4>();
  for (var depth = 0u; depth < params.depth; depth += ${DEPTH}u) {
    workgroupBarrier();
    for (var e = lane; e < ${DEPTH * TILE}u; e += ${LANES}u) {
      // Neighbours in memory go to neighbouring lanes, whichever way the operand lies.
      let atA = select(vec2u(e % ${TILE}u, e / ${TILE}u), vec2u(e / ${DEPTH}u, e % ${DEPTH}u), params.aDepth == 1u);
      let atB = select(vec2u(e % ${TILE}u, e / ${TILE}u), vec2u(e / ${DEPTH}u, e % ${DEPTH}u), params.bDepth == 1u);
      let i = row + atA.x;
      let j = column + atB.x;
      let kA = depth + atA.y;
      let kB = depth + atB.y;
      var x = 0.0;
      var y = 0.0;
      if (i < params.rows && kA < params.depth) { x = a[i * params.aRow + kA * params.aDepth]; }
      if (j < params.columns && kB < params.depth) { y = b[kB * params.bDepth + j * params.bColumn]; }
      tileA[atA.y * ${TILE}u + atA.x] = x;
      tileB[atB.y * ${TILE}u + atB.x] = y;
    }
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let at = k * ${TILE}u + own.y;
      let y = vec4f(tileB[at], tileB[at + 1u], tileB[at + 2u], tileB[at + 3u]);
      for (var i = 0u; i < 4u; i++) { sums[i] += tileA[k * ${TILE}u + own.x + i] * y; }
    }
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      let at = vec2u(row + own.x + i, column + own.y + j);
      if (at.x >= params.rows || at.y >= params.columns) { continue; }
      let to = at.x * params.columns + at.y;
      out[to] = sums[i][j] + select(0.0, out[to], params.accumulate != 0u);
    }
  }
}`;
