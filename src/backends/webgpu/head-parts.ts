// What adds up to the logits of a head: hidden states times its weight, an adapter's states times its b, 1 times the bias. Each
// part is a matrix product of its own, on operands where they lie: nothing is merged.

import type { LinearGradients } from "../../engine.ts";
import { type AnyFloats, type FloatData, type FloatType, isOnDevice } from "../../inputs/floats.ts";
import type { HeadData } from "../../inputs/head.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import { type Commands, type Range, within } from "./commands.ts";
import { type FloatRange, pieceOfBuffer, rowsPerPiece, type Span } from "./device-rows.ts";
import { readWgsl } from "./floats.wgsl.ts";
import { recordProduct, type Strides } from "./matmul.ts";
import { eachWgsl, groupsOf } from "./prelude.wgsl.ts";
import type { Gpu } from "./submit.ts";
import { tokensIn } from "./token-source.ts";

/** A checked head, and the tokens that count. */
export interface HeadInputs {
  readonly head: HeadData<AnyFloats>;
  readonly list: TokenList;
  readonly vocab: number;
}

/** What the products of one pass share; `tiles` are the tokens that are worked on at a time. */
export interface HeadPass {
  readonly commands: Commands;
  readonly gpu: Gpu;
  readonly inputs: HeadInputs;
  readonly tiles: readonly Span[];
}

export interface Part {
  readonly width: number;
  /** Float32, one row per token; with strides of 0, one number for all tokens. */
  readonly states: Range;
  readonly strides: Strides;
  /** One row per id. */
  readonly weight: AnyFloats;
  /** Where the gradient of the states is summed. */
  readonly gradStates?: Range | undefined;
  readonly gradWeight?: AnyFloats | undefined;
}

/** The parts of a head, that of the hidden states first; `out` and `slopes` are those of a backward pass. */
export function openParts(pass: HeadPass, out?: LinearGradients<AnyFloats>, slopes?: Range): Part[] {
  const { commands, inputs, tiles } = pass;
  const { width, weight, bias, lora } = inputs.head;
  const tokens = inputs.list.rows.length;
  const sumsOf = (width: number): Range | undefined => out && commands.scratch(4 * tokens * width);
  const states = commands.scratch(4 * tokens * width);
  recordStates(pass, states, slopes);
  const strides: Strides = [width, 1];
  const gradStates = out?.hidden && sumsOf(width);
  const parts: Part[] = [{ width, states, strides, weight, gradStates, gradWeight: out?.weight }];
  if (lora) {
    const { rank, scale, b } = lora;
    const u = commands.scratch(4 * tokens * rank);
    const a = rangeOfRows(pass, lora.a, width, { from: 0, count: rank });
    for (const tile of tiles) {
      recordProduct(commands, {
        sizes: [tile.count, rank, width],
        a: { range: rowsOf(states, width, tile), strides },
        b: { ...a, strides: [1, width] },
        to: { range: rowsOf(u, rank, tile), shift: 0 },
        scale,
      });
    }
    parts.push({
      width: rank,
      states: u,
      strides: [rank, 1],
      weight: b,
      gradStates: sumsOf(rank),
      gradWeight: out?.b,
    });
  }
  if (bias) {
    const one = commands.upload(Float32Array.of(1));
    parts.push({ width: 1, states: one, strides: [0, 0], weight: bias, gradWeight: out?.bias });
  }
  return parts;
}

/** Rows of an array, uploaded for this part of the call, or of the caller's buffer. */
export function rangeOfRows(
  { commands, gpu }: Pick<HeadPass, "commands" | "gpu">,
  floats: AnyFloats,
  width: number,
  { from, count }: Span,
): FloatRange {
  const { type } = floats;
  if (isOnDevice(floats)) return { ...pieceOfBuffer(gpu.device, floats, width, from, count), type };
  const { data } = floats;
  return { range: commands.upload(data.subarray(from * width, (from + count) * width)), type, shift: 0 };
}

/** The float32 rows of these tokens. */
export const rowsOf = (range: Range, width: number, { from, count }: Span): Range =>
  within(range, 4 * width * from, Math.max(4, 4 * width * count));

export const statesOf = ({ states, width, strides }: Part, tile: Span): Range =>
  strides[1] === 0 ? states : rowsOf(states, width, tile);

/** The pieces in which rows of a buffer are bound. */
export function piecesOfRows(gpu: Gpu, width: number, rows: number): { first: number; rows: number }[] {
  const most = rowsPerPiece(gpu.device.limits, width);
  return Array.from({ length: Math.ceil(rows / most) }, (_, p) => ({
    first: p * most,
    rows: Math.min(most, rows - p * most),
  }));
}

/** Whether token k has a gradient; what its states hold must not count otherwise. */
export const isLiveWgsl = /* wgsl */ `
fn is_live(k: u32) -> bool { return (slopes[k].y & 0x7fffffffu) != 0u; }`;

/**
 * Gathers the hidden states of tokens as float32, one row after another. In a backward pass those of tokens without a gradient
 * are zeros, so that an infinity in them does not count as 0·∞.
 */
const gatherWgsl = (type: FloatType, backward: boolean): string => /* wgsl */ `
// Tokens begin .. begin + count − 1; hidden states from row \`first\` on; states from token \`start\` on.
struct Params { begin: u32, count: u32, first: u32, width: u32, shift: u32, start: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read> hidden: array<u32>;
@group(0) @binding(3) var<storage, read_write> states: array<f32>;
${backward ? `@group(0) @binding(4) var<storage, read> slopes: array<vec4u>;${isLiveWgsl}` : ""}
${readWgsl(type, "hidden")}
${eachWgsl("params.count * params.width")}
  let k = params.begin + i / params.width;
  var x = 0.0;
  ${backward ? "if (is_live(k))" : ""} { x = at(params.shift + (rows[k] - params.first) * params.width + i % params.width); }
  states[(k - params.start) * params.width + i % params.width] = x;
}`;

/** Rows of hidden states on the GPU: `rows` of them, from row `first` on. */
type StateRows = FloatRange & { readonly first: number; readonly rows: number };

function recordStates({ commands, gpu, inputs, tiles }: HeadPass, states: Range, slopes?: Range): void {
  const { head, list } = inputs;
  const { hidden, width } = head;
  if (list.rows.length === 0) return;
  // Of an array only the rows that count are uploaded, in the order of the tokens.
  const rows = isOnDevice(hidden) ? list.rows : Int32Array.from(list.rows.keys());
  const pieces: StateRows[] = isOnDevice(hidden)
    ? piecesOfRows(gpu, width, list.positions).map(({ first, rows }) => ({
        ...pieceOfBuffer(gpu.device, hidden, width, first, rows),
        type: hidden.type,
      }))
    : tiles.map((tile) => uploadStates(commands, hidden, width, list.rows, tile));
  const rowOfToken = commands.upload(rows);
  const code = gatherWgsl(hidden.type, slopes !== undefined);
  for (const tile of tiles) {
    const to = within(states, 4 * width * tile.from, 4 * width * tile.count);
    for (const { range, shift, first, rows: count } of pieces) {
      const [low, high] = tokensIn(rows, first, count);
      const from = Math.max(low, tile.from);
      const tokens = Math.min(high, tile.from + tile.count) - from;
      if (tokens <= 0) continue;
      const params = commands.upload(Uint32Array.of(from, tokens, first, width, shift, tile.from));
      const bindings = [params, rowOfToken, range, to, ...(slopes ? [slopes] : [])];
      commands.run(code, groupsOf(tokens * width), ...bindings);
    }
  }
}

function uploadStates(
  commands: Commands,
  { data, type }: FloatData,
  width: number,
  rows: Int32Array,
  { from, count }: Span,
): StateRows {
  const packed = new (type === "f32" ? Float32Array : Uint16Array)(count * width);
  for (let k = 0; k < count; k++) {
    const at = (rows[from + k] as number) * width;
    packed.set(data.subarray(at, at + width), k * width);
  }
  return { range: commands.upload(packed), type, shift: 0, first: from, rows: count };
}
