// Hidden states and a head on the GPU, as a source of tokens: a tile of logits at a time, a range of ids by a range of
// tokens, made again for the backward pass. Logits never exist as a whole.

import type { LinearGradients } from "../../engine.ts";
import { BackendError } from "../../errors.ts";
import type { HeadData } from "../../inputs/head.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import type { Commands, Gpu, Range } from "./commands.ts";
import { TILE } from "./head.wgsl.ts";
import { numbersOf, openParts, type Part, recordAdapter, rowsOf, statesOf } from "./head-parts.ts";
import { recordHidden } from "./hidden.ts";
import { roomOf } from "./place.ts";
import { type Numbers, recordProduct } from "./product.ts";
import { chunkBytes, type LogitsPiece, recordChunks, recordGradient, recordSums } from "./rows.ts";
import { FORWARD_CHUNK } from "./rows.wgsl.ts";
import { openTarget, type Target } from "./target.ts";
import type { TokenSource } from "./token-source.ts";

/** A checked head, and the tokens that count. */
export interface HeadOnGpu {
  readonly head: HeadData;
  readonly list: TokenList;
  readonly vocab: number;
}

/** Consecutive tokens or ids. */
export interface Span {
  readonly from: number;
  readonly count: number;
}

/** Bytes of the logits that exist at a time. */
const LOGITS_BYTES = 1 << 26;

const down = (x: number, step: number): number => step * Math.floor(x / step);

/** Equal spans of 0 .. n − 1; an empty one where there is nothing. */
const cut = (n: number, size: number): Span[] =>
  Array.from({ length: Math.max(1, Math.ceil(n / size)) }, (_, i) => ({
    from: i * size,
    count: Math.min(size, n - i * size),
  }));

const columnsOf = ({ width, lora }: HeadData): number => Math.max(width, lora?.rank ?? 0);

// A shard of ids is one chunk of the forward pass, and even, so that rows of halves end with whole words; tokens come by
// tiles, whose states then start where a binding may.
function sizesOf({ device }: Gpu, { head, vocab }: HeadOnGpu): { ids: number; tokens: number } {
  const room = roomOf(device.limits);
  const most = room / 4 / columnsOf(head);
  const ids = down(Math.min(FORWARD_CHUNK, most, room / 4 / TILE, vocab + 1), 2);
  const tokens = down(Math.min(most, Math.min(room, LOGITS_BYTES) / 4 / ids), TILE);
  return { ids, tokens };
}

/**
 * Refuses what no tile fits in.
 *
 * Throws    BackendError
 */
export function checkHead(gpu: Gpu, given: HeadOnGpu): void {
  if (sizesOf(gpu, given).tokens > 0) return;
  const most = Math.floor(roomOf(gpu.device.limits) / 4 / TILE);
  throw new BackendError(
    "out-of-memory",
    `hiddenSize: expected at most ${most} on this GPU, got ${columnsOf(given.head)}`,
  );
}

/** Records a tile of logits; returns it as a piece of rows. */
function recordLogits(
  commands: Commands,
  parts: readonly Part[],
  weights: readonly Numbers[],
  tile: Span,
  shard: Span,
  range: Range,
): LogitsPiece {
  parts.forEach((part, p) => {
    recordProduct(commands, {
      sizes: [tile.count, shard.count, part.width],
      a: { range: statesOf(part, tile), strides: part.strides },
      b: { ...(weights[p] as Numbers), strides: [1, part.width] },
      to: { range, shift: 0 },
      accumulate: p > 0,
    });
  });
  return { range, type: "f32", shift: 0, ids: shard.count, id: shard.from, first: tile.from };
}

/** The head of these tokens; `out` says where gradients go, where there is a backward pass. */
export function headSource(gpu: Gpu, given: HeadOnGpu, out?: LinearGradients): TokenSource {
  const { head, list, vocab } = given;
  const tokens = list.rows.length;
  const sizes = sizesOf(gpu, given);
  const shards = cut(vocab, sizes.ids);
  const tiles = cut(tokens, sizes.tokens);
  const logitsBytes = 4 * sizes.ids * Math.min(sizes.tokens, tokens);

  return {
    places: Int32Array.from({ length: tokens }, (_, k) => k),
    size: tokens,

    forward(commands, list, statistics) {
      const chunks = { count: shards.length, span: sizes.ids };
      const opening = { commands, gpu, given, tiles };
      const parts = openParts(opening);
      const partial = commands.scratch(chunkBytes(tokens, chunks));
      const range = commands.scratch(logitsBytes);
      const pass = { commands, gpu, tokens: list, statistics };
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = parts.map(({ weight, width }) => numbersOf(opening, weight, width, shard));
          for (const tile of tiles) {
            const logits = recordLogits(commands, parts, weights, tile, shard, range);
            recordChunks(pass, logits, [tile.from, tile.count], s, chunks, partial);
          }
        });
      });
      return recordSums(commands, tokens, list, chunks, partial);
    },

    backward(commands, slopes) {
      const gradients = out as LinearGradients;
      const opening = { commands, gpu, given, tiles };
      const parts = openParts(opening, gradients, slopes);
      const range = commands.scratch(logitsBytes);
      const spares: (Range | undefined)[] = [];
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = parts.map(({ weight, width }) => numbersOf(opening, weight, width, shard));
          const targets = parts.map(({ gradWeight, weight, width }, p) => {
            const spare = (): Range => (spares[p] ??= commands.scratch(4 * sizes.ids * width));
            return gradWeight && openTarget(opening, gradWeight, weight, width, shard, gradients.accumulate, spare);
          });
          tiles.forEach((tile, t) => {
            const logits = recordLogits(commands, parts, weights, tile, shard, range);
            recordGradient(commands, logits, logits, tile.count, slopes);
            parts.forEach((part, p) => {
              const to = { target: targets[p], adds: { states: s > 0, weight: t > 0 } };
              recordGradients(commands, part, weights[p] as Numbers, range, tile, shard, to);
            });
          });
          for (const target of targets) target?.finish();
        });
      });
      const [ofHidden, ofU] = parts as [Part, Part];
      if (head.lora) recordAdapter(opening, [ofHidden, ofU], head.lora, gradients);
      recordHidden(commands, gpu, given, gradients.hidden, ofHidden.gradStates as Range, slopes);
    },
  };
}

/** Records what a tile of the logits' gradient adds to those of a part's states and weight. */
function recordGradients(
  commands: Commands,
  part: Part,
  weight: Numbers,
  range: Range,
  tile: Span,
  shard: Span,
  { target, adds }: { target: Target | undefined; adds: { readonly states: boolean; readonly weight: boolean } },
): void {
  const { width, gradStates, strides } = part;
  if (gradStates) {
    recordProduct(commands, {
      sizes: [tile.count, width, shard.count],
      a: { range, strides: [shard.count, 1] },
      b: { ...weight, strides: [width, 1] },
      to: { range: rowsOf(gradStates, width, tile), shift: 0 },
      accumulate: adds.states,
    });
  }
  if (!target) return;
  recordProduct(commands, {
    sizes: [shard.count, width, tile.count],
    a: { range, strides: [1, shard.count] },
    b: { range: statesOf(part, tile), type: "f32", shift: 0, strides },
    to: target.into,
    accumulate: adds.weight || target.adds,
  });
}
