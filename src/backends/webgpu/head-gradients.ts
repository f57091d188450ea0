// The gradients of a head's parts: products that sum them, and the stores that bring the sums to where the caller wants them, in
// their element type.

import type { LinearGradients } from "../../engine.ts";
import { type AnyFloats, type FloatType, isOnDevice } from "../../inputs/floats.ts";
import type { HeadData } from "../../inputs/head.ts";
import { type Commands, type Range, within } from "./commands.ts";
import { alignRange, copyBack, type FloatRange, pieceOfBuffer, type Span } from "./device-rows.ts";
import { bytesOf, encodeWgsl, perWord, readWgsl, storeWgsl, wordsWgsl } from "./floats.wgsl.ts";
import { type HeadPass, isLiveWgsl, type Part, piecesOfRows, rangeOfRows, rowsOf, statesOf } from "./head-parts.ts";
import { recordProduct } from "./matmul.ts";
import { eachWgsl, groupsOf, nanWgsl } from "./prelude.wgsl.ts";
import { tokensIn } from "./token-source.ts";

/** Where the gradient of some rows of a weight is summed. */
export interface GradientSums {
  /** Float32, row by row. */
  readonly into: Pick<FloatRange, "range" | "shift">;
  /** Whether sums start from what is there. */
  readonly adds: boolean;
  /** Records what is left to do once everything is summed. */
  finish(): void;
}

/**
 * Opens the sums of rows `from` .. `from + count − 1` of a gradient. A float32 gradient on the GPU is summed in place, unless it
 * overwrites its own input, which is read to the end; all others are summed in the range that `spare` gives.
 */
export function openSums(
  { commands, gpu }: Pick<HeadPass, "commands" | "gpu">,
  gradient: AnyFloats,
  input: AnyFloats,
  width: number,
  { from, count }: Span,
  accumulate: boolean,
  spare: () => Range,
): GradientSums {
  const { type } = gradient;
  const length = count * width;
  const store = (sums: Range, { range, shift }: Pick<FloatRange, "range" | "shift">): void => {
    const params = commands.upload(Uint32Array.of(length, shift, Number(accumulate)));
    commands.run(storeGradientWgsl(type), groupsOf(Math.ceil(length / perWord(type))), params, sums, range);
  };
  if (isOnDevice(gradient)) {
    const piece = pieceOfBuffer(gpu.device, gradient, width, from, count);
    const isApart = !isOnDevice(input) || gradient.buffer !== input.buffer;
    if (type === "f32" && isApart) return { into: piece, adds: accumulate, finish() {} };
    const sums = spare();
    return { into: { range: sums, shift: 0 }, adds: false, finish: () => store(sums, piece) };
  }
  const sums = spare();
  const { data } = gradient;
  return {
    into: { range: sums, shift: 0 },
    adds: false,
    finish() {
      const at = from * width;
      const take = (bytes: ArrayBuffer): void => copyBack(bytes, gradient, at, length);
      if (type === "f32" && !accumulate) {
        commands.read({ ...sums, size: 4 * length }, take);
        return;
      }
      const range = accumulate
        ? commands.upload(data.subarray(at, at + length))
        : commands.scratch(length * bytesOf(type));
      store(sums, { range, shift: 0 });
      commands.read(range, take);
    },
  };
}

/** Writes float32 sums in the gradient's own type, or adds them to what it holds. */
const storeGradientWgsl = (type: FloatType): string => /* wgsl */ `
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
${eachWgsl(wordsWgsl(type))}
  ${storeWgsl(type)}
}`;

/** Records what a tile of the logits' gradient adds to the gradients of a part's states and weight. */
export function recordPartGradients(
  commands: Commands,
  part: Part,
  weight: FloatRange,
  gradient: Range,
  tile: Span,
  shard: Span,
  { sums, adds }: { sums: GradientSums | undefined; adds: { readonly states: boolean; readonly weight: boolean } },
): void {
  const { width, gradStates, strides } = part;
  if (gradStates) {
    recordProduct(commands, {
      sizes: [tile.count, width, shard.count],
      a: { range: gradient, strides: [shard.count, 1] },
      b: { ...weight, strides: [width, 1] },
      to: { range: rowsOf(gradStates, width, tile), shift: 0 },
      accumulate: adds.states,
    });
  }
  if (!sums) return;
  recordProduct(commands, {
    sizes: [shard.count, width, tile.count],
    a: { range: gradient, strides: [1, shard.count] },
    b: { range: statesOf(part, tile), type: "f32", shift: 0, strides },
    to: sums.into,
    accumulate: adds.weight || sums.adds,
  });
}

/** Records the gradient of an adapter's a, and adds the adapter's share to the gradient of the hidden states. */
export function recordAdapter(
  pass: HeadPass,
  [ofHidden, ofAdapter]: readonly [Part, Part],
  { a, rank, scale }: NonNullable<HeadData<AnyFloats>["lora"]>,
  { a: gradA, accumulate }: LinearGradients<AnyFloats>,
): void {
  const { commands, tiles } = pass;
  const { width } = ofHidden;
  const all = { from: 0, count: rank };
  const weight = rangeOfRows(pass, a, width, all);
  const spare = (): Range => commands.scratch(4 * rank * width);
  const sums = gradA && openSums(pass, gradA, a, width, all, accumulate, spare);
  tiles.forEach((tile, t) => {
    const range = rowsOf(ofAdapter.gradStates as Range, rank, tile);
    if (ofHidden.gradStates) {
      recordProduct(commands, {
        sizes: [tile.count, width, rank],
        a: { range, strides: [rank, 1] },
        b: { ...weight, strides: [width, 1] },
        to: { range: rowsOf(ofHidden.gradStates, width, tile), shift: 0 },
        scale,
        accumulate: true,
      });
    }
    if (!sums) return;
    recordProduct(commands, {
      sizes: [rank, width, tile.count],
      a: { range, strides: [1, rank] },
      b: { range: statesOf(ofHidden, tile), type: "f32", shift: 0, strides: ofHidden.strides },
      to: sums.into,
      scale,
      accumulate: t > 0 || sums.adds,
    });
  });
  sums?.finish();
}

/** Records the gradient of the hidden states, in its own type: the rows of tokens from `states`, zeros in all others. */
export function recordHiddenGradient(
  { commands, gpu, inputs }: HeadPass,
  to: AnyFloats,
  states: Range,
  slopes: Range,
): void {
  const { width } = inputs.head;
  const { rows, positions } = inputs.list;
  const tokenOfRow = new Uint32Array(positions);
  rows.forEach((row, k) => {
    tokenOfRow[row] = k + 1;
  });
  const tokens = commands.upload(tokenOfRow);
  const code = scatterWgsl(to.type);
  for (const { first, rows: count } of piecesOfRows(gpu, width, positions)) {
    const [low, high] = tokensIn(rows, first, count);
    const length = count * width;
    const own = isOnDevice(to)
      ? pieceOfBuffer(gpu.device, to, width, first, count)
      : { range: commands.scratch(length * bytesOf(to.type)), shift: 0 };
    const part = within(states, 4 * width * low, Math.max(4, 4 * width * (high - low)));
    const { range, before } = alignRange(gpu.device, part);
    const params = commands.upload(Uint32Array.of(length, first, width, own.shift, low, before / 4));
    commands.run(code, groupsOf(length / perWord(to.type)), params, tokens, slopes, range, own.range);
    if (!isOnDevice(to)) commands.read(own.range, (bytes) => copyBack(bytes, to, first * width, length));
  }
}

const scatterWgsl = (type: FloatType): string => /* wgsl */ `
${nanWgsl}
// \`count\` elements of the rows from \`first\` on; states from token \`start\` on.
struct Params { count: u32, first: u32, width: u32, to: u32, start: u32, shift: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // of each row, plus 1; 0 if it has none
@group(0) @binding(2) var<storage, read> slopes: array<vec4u>;
@group(0) @binding(3) var<storage, read> states: array<f32>;
@group(0) @binding(4) var<storage, read_write> to: array<u32>;
${isLiveWgsl}
${encodeWgsl(type)}
fn numberBits(e: u32) -> u32 {
  let k = tokens[params.first + e / params.width];
  if (k == 0u || !is_live(k - 1u)) { return 0u; }
  let x = states[params.shift + (k - 1u - params.start) * params.width + e % params.width];
  return encode(bits_of(x, is_nan(x)));
}
${eachWgsl(wordsWgsl(type))}
  ${storeWgsl(type)}
}`;
