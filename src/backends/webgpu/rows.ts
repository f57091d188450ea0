// Rows of logits on the GPU, forward and backward; and those rows as a source of tokens.

import { ShapeError } from "../../errors.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import type { Commands, Gpu, Range } from "./commands.ts";
import { bytesOf, perWord } from "./floats.wgsl.ts";
import { LANES } from "./pairs.wgsl.ts";
import type { Piece, Placed } from "./place.ts";
import { BACKWARD_CHUNK, backwardWgsl, combineWgsl, FORWARD_CHUNK, forwardWgsl, SUMS_WORDS } from "./rows.wgsl.ts";
import { take } from "./target.ts";
import { type TokenSource, tokensIn } from "./token-source.ts";

/** A piece of rows of logits, of all ids or of a range of them. */
export interface LogitsPiece {
  readonly range: Range;
  readonly type: FloatType;
  /** From this element of the range on. */
  readonly shift: number;
  /** Logits a row, from id `id` on. */
  readonly ids: number;
  readonly id: number;
  /** The place of the first row. */
  readonly first: number;
}

/** Chunks of each token: how many there are, and of how many ids. */
export interface Chunks {
  readonly count: number;
  readonly span: number;
}

/** Room for the chunks of `tokens` tokens. */
export const chunkBytes = (tokens: number, { count }: Chunks): number => 4 * SUMS_WORDS * tokens * count;

/** Records the chunks from number `chunk` on, of the tokens from .. from + count − 1, whose rows lie in the piece. */
export function recordChunks(
  { commands, gpu, tokens, statistics }: { commands: Commands; gpu: Gpu; tokens: Range; statistics: boolean },
  piece: LogitsPiece,
  [from, count]: readonly [from: number, count: number],
  chunk: number,
  chunks: Chunks,
  into: Range,
): void {
  const { type, first, shift, id, ids, range } = piece;
  const own = Math.ceil(ids / FORWARD_CHUNK);
  const code = forwardWgsl(type, gpu.device.features.has("subgroups"));
  const place = [from, count, first, shift, id, ids, own, chunk, chunks.count];
  const params = commands.upload(Uint32Array.of(...place, Number(statistics)));
  commands.run(code, count * own, params, tokens, range, into);
}

/** Records the sums of each token from those of its chunks. */
export function recordSums(commands: Commands, count: number, tokens: Range, chunks: Chunks, from: Range): Range {
  const sums = commands.scratch(4 * SUMS_WORDS * Math.max(count, 1));
  const params = commands.upload(Uint32Array.of(count, chunks.count, chunks.span));
  commands.run(combineWgsl, Math.ceil(count / LANES), params, tokens, from, sums);
  return sums;
}

/** Records the gradient of `rows` rows: into another piece, or over the logits. */
export function recordGradient(
  commands: Commands,
  from: LogitsPiece,
  to: Pick<LogitsPiece, "range" | "type" | "shift">,
  rows: number,
  slopes: Range,
): void {
  const startOf = ({ range, shift, type }: typeof to): number => range.offset + shift * bytesOf(type);
  const inPlace = from.range.buffer === to.range.buffer;
  if (inPlace && startOf(from) !== startOf(to)) {
    throw new ShapeError("overlap", "gradLogits: expected another buffer than that of logits, or the very logits");
  }
  const { ids, id, first, shift, type } = from;
  // An odd row of halves may touch one word more.
  const chunks = Math.ceil((Math.floor(ids / perWord(to.type)) + 1) / BACKWARD_CHUNK);
  const params = commands.upload(Uint32Array.of(rows, first, id, ids, chunks, shift, to.shift));
  const bindings = inPlace ? [to.range] : [to.range, from.range];
  const code = backwardWgsl({ logits: type, gradient: to.type, inPlace });
  commands.run(code, rows * chunks, params, slopes, ...bindings);
}

/** Rows of logits, placed, and where their gradients go: on the GPU, and from there into an array. */
export interface RowsOnGpu {
  readonly vocab: number;
  readonly rows: Int32Array;
  readonly positions: number;
  readonly logits: Placed;
  readonly gradient?: Placed | undefined;
  readonly into?: FloatData | undefined;
}

/** Tokens that are rows of logits: their places are their rows, so that every row gets its gradient, or zeros. */
export function rowsSource(gpu: Gpu, { vocab, rows, positions, logits, gradient, into }: RowsOnGpu): TokenSource {
  const chunks = { count: Math.ceil(vocab / FORWARD_CHUNK), span: FORWARD_CHUNK };
  const pieceOf = (piece: Piece): LogitsPiece => ({ ...piece, type: logits.type, ids: vocab, id: 0 });
  return {
    places: rows,
    size: positions,
    forward(commands, tokens, statistics) {
      const partial = commands.scratch(chunkBytes(rows.length, chunks));
      for (const piece of logits.pieces) {
        const [from, to] = tokensIn(rows, piece.first, piece.rows);
        const pass = { commands, gpu, tokens, statistics };
        recordChunks(pass, pieceOf(piece), [from, to - from], 0, chunks, partial);
      }
      return recordSums(commands, rows.length, tokens, chunks, partial);
    },
    backward(commands, slopes) {
      const { type, pieces } = gradient as Placed;
      logits.pieces.forEach((piece, p) => {
        const to = pieces[p] as Piece;
        recordGradient(commands, pieceOf(piece), { ...to, type }, piece.rows, slopes);
        if (into) commands.read(to.range, (bytes) => take(bytes, into, piece.first * vocab, piece.rows * vocab));
      });
    },
  };
}
