// Hidden states on their way to a head's products, and their gradients on the way back: the rows that count come together,
// and go apart again.

import type { FloatData } from "../../inputs/floats.ts";
import { type Commands, type Gpu, type Range, within } from "./commands.ts";
import { bytesOf, perWord } from "./floats.wgsl.ts";
import type { HeadOnGpu, Span } from "./head.ts";
import { gatherWgsl, scatterWgsl } from "./head.wgsl.ts";
import { LANES } from "./pairs.wgsl.ts";
import { aligned, isOnDevice, pieceOfBuffer, rowsOfPiece } from "./place.ts";
import type { Numbers } from "./product.ts";
import { take } from "./target.ts";
import { tokensIn } from "./token-source.ts";

/** Rows first .. first + rows − 1, on the GPU. */
type Rows = Numbers & { readonly first: number; readonly rows: number };

function cutRows(gpu: Gpu, width: number, positions: number): { first: number; rows: number }[] {
  const most = rowsOfPiece(gpu.device.limits, width);
  return Array.from({ length: Math.ceil(positions / most) }, (_, p) => ({
    first: p * most,
    rows: Math.min(most, positions - p * most),
  }));
}

/** Rows of an array that count, tile by tile: the others do not travel. */
function upload(commands: Commands, { data, type }: FloatData, width: number, rows: Int32Array, tile: Span): Rows {
  const { from, count } = tile;
  const packed = new (type === "f32" ? Float32Array : Uint16Array)(count * width);
  for (let k = 0; k < count; k++) {
    const at = (rows[from + k] as number) * width;
    packed.set(data.subarray(at, at + width), k * width);
  }
  return { range: commands.upload(packed), type, shift: 0, first: from, rows: count };
}

/** Records the states of all tokens as float32, one after another; with `slopes` zeros for those without a gradient. */
export function recordStates(
  commands: Commands,
  gpu: Gpu,
  { head: { hidden, width }, list }: HeadOnGpu,
  tiles: readonly Span[],
  states: Range,
  slopes?: Range,
): void {
  if (list.rows.length === 0) return;
  const onDevice = isOnDevice(hidden);
  const rows = onDevice ? list.rows : Int32Array.from(list.rows.keys());
  const pieces: Rows[] = onDevice
    ? cutRows(gpu, width, list.positions).map(({ first, rows }) => ({
        ...pieceOfBuffer(gpu.device, hidden, width, first, rows),
        type: hidden.type,
      }))
    : tiles.map((tile) => upload(commands, hidden, width, list.rows, tile));
  const places = commands.upload(rows);
  const code = gatherWgsl(hidden.type, slopes !== undefined);
  for (const tile of tiles) {
    const to = within(states, 4 * width * tile.from, 4 * width * tile.count);
    for (const { range, shift, first, rows: count } of pieces) {
      const [low, high] = tokensIn(rows, first, count);
      const from = Math.max(low, tile.from);
      const tokens = Math.min(high, tile.from + tile.count) - from;
      if (tokens <= 0) continue;
      const params = commands.upload(Uint32Array.of(from, tokens, first, width, shift, tile.from));
      const groups = Math.ceil((tokens * width) / LANES);
      commands.run(code, groups, params, places, range, to, ...(slopes ? [slopes] : []));
    }
  }
}

/** Records the gradients of all tokens' states to the rows of hidden states, in their type; 0 elsewhere. */
export function recordHidden(
  commands: Commands,
  gpu: Gpu,
  { head: { width }, list: { rows, positions } }: HeadOnGpu,
  to: FloatData,
  states: Range,
  slopes: Range,
): void {
  const tokenOf = new Uint32Array(positions);
  rows.forEach((row, k) => {
    tokenOf[row] = k + 1;
  });
  const tokens = commands.upload(tokenOf);
  const code = scatterWgsl(to.type);
  for (const { first, rows: count } of cutRows(gpu, width, positions)) {
    const [low, high] = tokensIn(rows, first, count);
    const length = count * width;
    const own = isOnDevice(to)
      ? pieceOfBuffer(gpu.device, to, width, first, count)
      : { range: commands.scratch(length * bytesOf(to.type)), shift: 0 };
    const part = within(states, 4 * width * low, Math.max(4, 4 * width * (high - low)));
    const { range, before } = aligned(gpu.device, part);
    const params = commands.upload(Uint32Array.of(length, first, width, own.shift, low, before / 4));
    const groups = Math.ceil(length / perWord(to.type) / LANES);
    commands.run(code, groups, params, tokens, slopes, range, own.range);
    if (!isOnDevice(to)) commands.read(own.range, (bytes) => take(bytes, to, first * width, length));
  }
}
