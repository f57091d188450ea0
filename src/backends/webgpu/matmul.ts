// Matrix products on the GPU, on operands where they lie.

import type { FloatType } from "../../inputs/floats.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import type { FloatRange } from "./device-rows.ts";
import { readWgsl } from "./floats.wgsl.ts";
import { GROUP } from "./prelude.wgsl.ts";

/** Rows and columns of the tile that one workgroup computes; each lane computes 4 × 4 of its elements. */
export const TILE = 64;
/** Depth that is loaded at a time: each lane then loads four elements of either operand. */
const DEPTH = 16;
const LANES = 256;
const FOURS = TILE / 4;

/** Elements from one row to the next, and from one column to the next; 0, 0 repeats a single number. */
export type Strides = readonly [row: number, column: number];

export interface Product {
  readonly sizes: readonly [rows: number, columns: number, depth: number];
  /** rows × depth, float32, from the range's first element on. */
  readonly a: { readonly range: Range; readonly strides: Strides };
  /** depth × columns, of any element type. */
  readonly b: FloatRange & { readonly strides: Strides };
  /** rows × columns, float32, row by row. */
  readonly to: Pick<FloatRange, "range" | "shift">;
  readonly scale?: number | undefined;
  /** Adds to what `to` holds. */
  readonly accumulate?: boolean | undefined;
}

/** Records to = scale·a·b; zeros if the depth is 0. */
export function recordProduct(commands: Commands, { sizes, a, b, to, scale = 1, accumulate = false }: Product): void {
  const [rows, columns] = sizes;
  const integers = [...sizes, ...a.strides, ...b.strides, b.shift, to.shift, Number(accumulate)];
  const params = commands.upload(packParams([...integers.map((u32) => ({ u32 })), { f32: scale }]));
  const groups = Math.ceil(rows / TILE) * Math.ceil(columns / TILE);
  commands.run(productWgsl(b.type), groups, params, a.range, b.range, to.range);
}

/**
 * Loads four neighbouring elements of an operand, of which `at(i, k)` is one, and finds their place in its tile. Neighbouring
 * lanes read neighbouring memory, along rows or along columns.
 */
const loadFour = (
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
 * out[i, j] = scale·Σ a[i, k]·b[k, j], added to out[i, j] with `accumulate`. Operands have strides, so that transposed ones are
 * read in place. An operand is read from memory once per tile of the other; in workgroup memory, two vectors of four feed 32
 * operations.
 */
const productWgsl = (type: FloatType): string => /* wgsl */ `
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
    ${loadFour("a", "rows", "row", (i, k) => `a[${i} * params.aRow + ${k} * params.aDepth]`)}
    ${loadFour("b", "columns", "column", (i, k) => `at(params.shift + ${k} * params.bDepth + ${i} * params.bColumn)`)}
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
