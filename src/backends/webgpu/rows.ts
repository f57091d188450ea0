// Rows of logits on the GPU, forward and backward, and as a source of tokens.

import { ShapeError } from "../../errors.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import type { Transform } from "../../inputs/transform.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { copyBack, type DeviceRows, type Piece } from "./device-rows.ts";
import { bytesOf, perWord } from "./floats.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { BACKWARD_CHUNK, backwardWgsl, combineWgsl, FORWARD_CHUNK, forwardWgsl, SUMS_WORDS } from "./rows.wgsl.ts";
import type { Gpu } from "./submit.ts";
import { type TokenSource, tokensIn } from "./token-source.ts";
import { transformLogitsWgsl } from "./transform.wgsl.ts";

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
  const code = forwardWgsl(type, gpu.reduction);
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

/** Records the transform of `rows` rows of logits: in place, or to float32 in another range. */
export function recordTransform(
  commands: Commands,
  { range, type, shift, ids }: LogitsPiece,
  rows: number,
  { inner, outer }: Transform,
  to: Range,
): void {
  const inPlace = range.buffer === to.buffer;
  const count = rows * ids;
  const params = commands.upload(packParams([{ u32: count }, { u32: shift }, { f32: inner }, { f32: outer }]));
  const bindings = inPlace ? [to] : [to, range];
  commands.run(transformLogitsWgsl(type, inPlace), groupsOf(count), params, ...bindings);
}

/** What a gradient goes through beside softmax. */
export interface Chain {
  readonly transform?: Transform | undefined;
  /** dloss / dH and Σ p·(x−max) at each place. */
  readonly entropies: Range | undefined;
}

/** Records the gradient of `rows` rows of logits, into another range or over the logits. */
export function recordGradient(
  commands: Commands,
  from: LogitsPiece,
  to: Pick<LogitsPiece, "range" | "type" | "shift">,
  rows: number,
  slopes: Range,
  { transform, entropies }: Chain,
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
  const integers = [rows, first, id, ids, chunks, shift, to.shift].map((u32) => ({ u32 }));
  const floats = transform ? [{ f32: transform.inner }, { f32: transform.outer }] : [];
  const params = commands.upload(packParams([...integers, ...floats]));
  const bindings = inPlace ? [to.range] : [to.range, from.range];
  if (entropies) bindings.push(entropies);
  const isChained = { transforms: transform !== undefined, entropies: entropies !== undefined };
  const code = backwardWgsl({ logits: type, gradient: to.type, inPlace, ...isChained });
  commands.run(code, rows * chunks, params, slopes, ...bindings);
}

/** Rows of logits on the GPU; their gradient there, and the array that it is read back into. */
export interface LogitsOnDevice {
  readonly vocab: number;
  readonly rows: Int32Array;
  readonly positions: number;
  readonly logits: DeviceRows;
  readonly transform?: Transform | undefined;
  readonly gradient?: DeviceRows | undefined;
  readonly into?: FloatData | undefined;
}

/** Bytes of the transformed logits that exist at a time. */
const TRANSFORMED_BYTES = 1 << 26;

/** The tokens of rows of logits. Every row has a slope, so that those that do not count get zeros for a gradient. */
export function rowsSource(
  gpu: Gpu,
  { vocab, rows, positions, logits, transform, gradient, into }: LogitsOnDevice,
): TokenSource {
  const chunks = { count: Math.ceil(vocab / FORWARD_CHUNK), span: FORWARD_CHUNK };
  const pieceOf = (piece: Piece): LogitsPiece => ({ ...piece, type: logits.type, ids: vocab, id: 0 });
  return {
    slots: rows,
    size: positions,
    forward(commands, tokens, statistics) {
      const partial = commands.scratch(chunkBytes(rows.length, chunks));
      const pass = { commands, gpu, tokens, statistics };
      // A few rows at a time where they are transformed: every pass over them then sees the same numbers.
      const most = transform ? Math.max(1, Math.floor(TRANSFORMED_BYTES / (4 * vocab))) : Infinity;
      const range = transform && commands.scratch(4 * vocab * Math.min(most, Math.max(positions, 1)));
      for (const piece of logits.pieces) {
        for (let at = 0; at < piece.rows; at += most) {
          const [first, count] = [piece.first + at, Math.min(most, piece.rows - at)];
          const [from, to] = tokensIn(rows, first, count);
          let own = pieceOf(piece);
          if (transform && range) {
            if (from === to) continue;
            recordTransform(commands, { ...own, shift: own.shift + at * vocab }, count, transform, range);
            own = { ...own, range, type: "f32", shift: 0, first };
          }
          recordChunks(pass, own, [from, to - from], 0, chunks, partial);
        }
      }
      return recordSums(commands, rows.length, tokens, chunks, partial);
    },
    backward(commands, slopes, entropies) {
      const { type, pieces } = gradient as DeviceRows;
      logits.pieces.forEach((piece, p) => {
        const to = pieces[p] as Piece;
        recordGradient(commands, pieceOf(piece), { ...to, type }, piece.rows, slopes, { transform, entropies });
        if (into) commands.read(to.range, (bytes) => copyBack(bytes, into, piece.first * vocab, piece.rows * vocab));
      });
    },
  };
}
