// Rows of logits on the GPU, forward and backward, and as a source of tokens.

import { ShapeError } from "../../errors.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import type { Commands, Range } from "./commands.ts";
import { copyBack, type DeviceRows, type Piece } from "./device-rows.ts";
import { bytesOf, perWord } from "./floats.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { BACKWARD_CHUNK, backwardWgsl, combineWgsl, FORWARD_CHUNK, forwardWgsl, SUMS_WORDS } from "./rows.wgsl.ts";
import type { Gpu } from "./submit.ts";
import { type TokenSource, tokensIn } from "./token-source.ts";

/** Rows of logits in a range, with all ids or some of them. */
export interface LogitsPiece {
  readonly range: Range;
  readonly type: FloatType;
  /** The element of the range that they start at. */
  readonly shift: number;
  /** Ids per row, from `id` on. */
  readonly ids: number;
  readonly id: number;
  /** The first row. */
  readonly first: number;
}

/** The chunks that a token's row is split into: how many, and of how many ids. */
export interface Chunks {
  readonly count: number;
  readonly span: number;
}

/** Bytes of the sums of all chunks of `tokens` tokens. */
export const chunkBytes = (tokens: number, { count }: Chunks): number => 4 * SUMS_WORDS * tokens * count;

/** Records the sums of the piece's chunks, which are numbered from `chunk` on, for tokens `from` .. `from + count − 1`. */
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

/** Records the combination of each token's chunks. */
export function recordSums(commands: Commands, count: number, tokens: Range, chunks: Chunks, from: Range): Range {
  const sums = commands.scratch(4 * SUMS_WORDS * Math.max(count, 1));
  const params = commands.upload(Uint32Array.of(count, chunks.count, chunks.span));
  commands.run(combineWgsl, groupsOf(count), params, tokens, from, sums);
  return sums;
}

/** Records the gradient of `rows` rows of logits, into another range or over the logits. */
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
    throw new ShapeError(
      "overlap",
      "gradLogits: expected a buffer other than that of logits, or exactly the range of logits",
    );
  }
  const { ids, id, first, shift, type } = from;
  // A row of an odd number of half floats may touch one more word.
  const chunks = Math.ceil((Math.floor(ids / perWord(to.type)) + 1) / BACKWARD_CHUNK);
  const params = commands.upload(Uint32Array.of(rows, first, id, ids, chunks, shift, to.shift));
  const bindings = inPlace ? [to.range] : [to.range, from.range];
  const code = backwardWgsl({ logits: type, gradient: to.type, inPlace });
  commands.run(code, rows * chunks, params, slopes, ...bindings);
}

/** Rows of logits on the GPU; their gradient there, and the array that it is read back into. */
export interface LogitsOnDevice {
  readonly vocab: number;
  readonly rows: Int32Array;
  readonly positions: number;
  readonly logits: DeviceRows;
  readonly gradient?: DeviceRows | undefined;
  readonly into?: FloatData | undefined;
}

/** The tokens of rows of logits. Every row has a slope, so that those that do not count get zeros for a gradient. */
export function rowsSource(gpu: Gpu, { vocab, rows, positions, logits, gradient, into }: LogitsOnDevice): TokenSource {
  const chunks = { count: Math.ceil(vocab / FORWARD_CHUNK), span: FORWARD_CHUNK };
  const pieceOf = (piece: Piece): LogitsPiece => ({ ...piece, type: logits.type, ids: vocab, id: 0 });
  return {
    slots: rows,
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
      const { type, pieces } = gradient as DeviceRows;
      logits.pieces.forEach((piece, p) => {
        const to = pieces[p] as Piece;
        recordGradient(commands, pieceOf(piece), { ...to, type }, piece.rows, slopes);
        if (into) commands.read(to.range, (bytes) => copyBack(bytes, into, piece.first * vocab, piece.rows * vocab));
      });
    },
  };
}
