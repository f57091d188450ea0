// Rows of logits on the GPU: what sequenceLogps and logitsLoss run on. Logits stay there between the two passes.

import type { LogitRows, LogitsEngine } from "../backend/logits-loss.ts";
import type { TokenSums } from "../backend/token-stage.ts";
import { ShapeError } from "../errors.ts";
import type { FloatData } from "../floats.ts";
import { type Commands, checkSignal, type Gpu, type Range, submit } from "./commands.ts";
import { perWord } from "./floats.wgsl.ts";
import { LANES } from "./pairs.wgsl.ts";
import { isOnDevice, type Piece, type Placed, place } from "./place.ts";
import { BACKWARD_CHUNK, backwardWgsl, combineWgsl, FORWARD_CHUNK, forwardWgsl, SUMS_WORDS } from "./rows.wgsl.ts";

/** Records the forward pass of a piece: `tokens` holds row and target of each token. Returns the sums of each token. */
export function recordForward(
  commands: Commands,
  { type, subgroups }: { type: FloatData["type"]; subgroups: boolean },
  { range, shift }: Piece,
  vocab: number,
  list: Range,
  statistics: boolean,
): Range {
  const count = list.size / 8;
  const chunks = Math.ceil(vocab / FORWARD_CHUNK);
  const params = commands.upload(Uint32Array.of(count, vocab, chunks, shift));
  const partial = commands.scratch(4 * SUMS_WORDS * count * chunks);
  const sums = commands.scratch(4 * SUMS_WORDS * count);
  commands.run(forwardWgsl(type, statistics, subgroups), count * chunks, params, list, range, partial);
  commands.run(combineWgsl, Math.ceil(count / LANES), params, list, partial, sums);
  return sums;
}

/** Records the backward pass of a piece: `rows` holds id, g, maximum and sum of every row, counting or not. */
export function recordBackward(
  commands: Commands,
  types: { logits: FloatData["type"]; gradient: FloatData["type"] },
  from: Piece,
  to: Piece,
  vocab: number,
  list: Range,
): void {
  const inPlace = from.range.buffer === to.range.buffer;
  if (inPlace && from.range.offset !== to.range.offset) {
    throw new ShapeError("overlap", "gradLogits: expected another buffer than that of logits, or the very logits");
  }
  // An odd row of halves may touch one word more.
  const chunks = Math.ceil((Math.floor(vocab / perWord(types.gradient)) + 1) / BACKWARD_CHUNK);
  const params = commands.upload(Uint32Array.of(from.rows, vocab, chunks, from.shift, to.shift));
  const bindings = inPlace ? [to.range] : [to.range, from.range];
  commands.run(backwardWgsl({ ...types, inPlace }), from.rows * chunks, params, list, ...bindings);
}

/** Row within the piece, and target, of the tokens from..to. */
export function packTokens(
  { first }: Piece,
  rows: Int32Array,
  targets: Int32Array,
  from: number,
  to: number,
): Uint32Array {
  const words = new Uint32Array(2 * (to - from));
  for (let k = from; k < to; k++) {
    words[2 * (k - from)] = (rows[k] as number) - first;
    words[2 * (k - from) + 1] = targets[k] as number;
  }
  return words;
}

/** Tokens k from..to of the list lie in the rows of the piece; rows ascend. */
export function tokensOf({ first, rows: count }: Piece, rows: Int32Array): readonly [from: number, to: number] {
  const below = (bound: number): number => {
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((rows[middle] as number) < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [below(first), below(first + count)];
}

/** The engine of one call; `release` gives back what it keeps on the GPU. */
export function createRows(gpu: Gpu, signal?: AbortSignal): LogitsEngine & { release: () => void } {
  const placed = new Map<FloatData["data"], Placed>();
  const subgroups = gpu.device.features.has("subgroups");
  const onGpu = ({ logits, vocab }: LogitRows): Placed => {
    const found = placed.get(logits.data) ?? place(gpu, logits, vocab);
    placed.set(logits.data, found);
    return found;
  };

  return {
    async read(batch, sums) {
      const { logits, vocab, rows, targets } = batch;
      const { pieces } = onGpu(batch);
      await submit(gpu, (commands) => {
        for (const piece of pieces) {
          const [from, to] = tokensOf(piece, rows);
          if (from === to) continue;
          const tokens = commands.upload(packTokens(piece, rows, targets, from, to));
          const kind = { type: logits.type, subgroups };
          const range = recordForward(commands, kind, piece, vocab, tokens, sums.statistics !== undefined);
          commands.read(range, (bytes) => unpackSums(bytes, from, to - from, sums));
        }
      });
      checkSignal(signal);
    },
    async gradient(batch, g, { max, sum }, { out }) {
      const { logits, vocab, rows, targets } = batch;
      const { pieces } = onGpu(batch);
      // Our copy of the caller's array may be written over; a buffer of the caller's only if that was asked for.
      const mayWrite = isOnDevice(out) ? out.data === logits.data : !isOnDevice(logits);
      const over = out.type === logits.type && mayWrite;
      const to = over ? onGpu(batch) : place(gpu, out, vocab, false);
      await submit(gpu, (commands) => {
        pieces.forEach((piece, p) => {
          const info = packRows(piece, rows, targets, g, max, sum);
          const target = to.pieces[p] as Piece;
          const types = { logits: logits.type, gradient: out.type };
          recordBackward(commands, types, piece, target, vocab, commands.upload(info));
          if (!isOnDevice(out)) readPiece(commands, target, out, vocab);
        });
      });
      if (!over) to.release();
    },
    release() {
      for (const { release } of placed.values()) release();
    },
  };
}

function unpackSums(bytes: ArrayBuffer, from: number, count: number, sums: TokenSums): void {
  const floats = new Float32Array(bytes);
  const words = new Uint32Array(bytes);
  const { max, sum, label, hit, statistics } = sums;
  for (let j = 0, at = 0; j < count; j++, at += SUMS_WORDS) {
    const k = from + j;
    max[k] = floats[at] as number;
    sum[k] = floats[at + 1] as number;
    if (k < hit.length) hit[k] = words[at + 2] as number;
    label[k] = floats[at + 3] as number;
    if (!statistics) continue;
    statistics.weighted[k] = floats[at + 4] as number;
    statistics.squares[k] = floats[at + 5] as number;
    statistics.total[k] = floats[at + 6] as number;
  }
}

// Rows that do not count keep g = 0: their gradient is written as 0.
function packRows(
  piece: Piece,
  rows: Int32Array,
  targets: Int32Array,
  g: Float64Array,
  max: Float64Array,
  sum: Float64Array,
): Uint32Array {
  const words = new Uint32Array(4 * piece.rows);
  const floats = new Float32Array(words.buffer);
  const [from, to] = tokensOf(piece, rows);
  for (let k = from; k < to; k++) {
    const at = 4 * ((rows[k] as number) - piece.first);
    words[at] = targets[k] as number;
    floats[at + 1] = g[k] as number;
    floats[at + 2] = max[k] as number;
    floats[at + 3] = sum[k] as number;
  }
  return words;
}

function readPiece(commands: Commands, piece: Piece, { type, data }: FloatData, vocab: number): void {
  const count = piece.rows * vocab;
  commands.read(piece.range, (bytes) => {
    const from = type === "f32" ? new Float32Array(bytes, 0, count) : new Uint16Array(bytes, 0, count);
    data.set(from, piece.first * vocab);
  });
}
