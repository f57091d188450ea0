// Hidden states and a head on the GPU, as a source of tokens: a tile of logits at a time, a range of ids by a range of
// tokens, made again for the backward pass. Logits never exist as a whole.

import type { LinearGradients } from "../backend/linear-engine.ts";
import { BackendError } from "../errors.ts";
import type { FloatData } from "../floats.ts";
import type { HeadData } from "../head.ts";
import type { TokenList } from "../tokens.ts";
import { type Commands, type Gpu, type Range, within } from "./commands.ts";
import { TILE } from "./head.wgsl.ts";
import { recordHidden, recordStates } from "./hidden.ts";
import { isOnDevice, pieceOfBuffer, roomOf } from "./place.ts";
import { type Numbers, recordProduct, type Strides } from "./product.ts";
import { chunkBytes, recordChunks, recordGradient, recordSums } from "./rows.ts";
import { FORWARD_CHUNK } from "./rows.wgsl.ts";
import type { TokenSource } from "./source.ts";
import { openTarget } from "./target.ts";

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
function sizesOf({ device }: Gpu, { head }: HeadOnGpu): { ids: number; tokens: number } {
  const room = roomOf(device.limits);
  const most = room / 4 / columnsOf(head);
  const ids = down(Math.min(FORWARD_CHUNK, most, room / 4 / TILE), 2);
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

/** What adds to the logits: numbers of each token times numbers of each id. */
interface Part {
  readonly width: number;
  /** Float32, a row a token; without strides one number for all. */
  readonly states: Range;
  readonly strides: Strides;
  readonly weight: FloatData;
  /** Where the gradient of the states is summed. */
  readonly gradStates?: Range | undefined;
  readonly gradWeight?: FloatData | undefined;
}

/** The part of a range of rows that these tokens have. */
const rowsOf = (range: Range, width: number, { from, count }: Span): Range =>
  within(range, 4 * width * from, Math.max(4, 4 * width * count));

/** The head of these tokens; `out` says where gradients go, where there is a backward pass. */
export function headSource(gpu: Gpu, given: HeadOnGpu, out?: LinearGradients): TokenSource {
  const { head, list, vocab } = given;
  const { width, lora, bias } = head;
  const tokens = list.rows.length;
  const sizes = sizesOf(gpu, given);
  const shards = cut(vocab, sizes.ids);
  const tiles = cut(tokens, sizes.tokens);
  const chunks = { count: shards.length, span: sizes.ids };

  const numbersOf = (commands: Commands, floats: FloatData, width: number, { from, count }: Span): Numbers => {
    const { type, data } = floats;
    if (isOnDevice(floats)) return { ...pieceOfBuffer(gpu.device, floats, width, from, count), type };
    return { range: commands.upload(data.subarray(from * width, (from + count) * width)), type, shift: 0 };
  };
  const numbersOfA = (commands: Commands, { a, rank }: NonNullable<HeadData["lora"]>): Numbers =>
    numbersOf(commands, a, width, { from: 0, count: rank });

  /** Hidden states, what the adapter makes of them, and the 1 that the bias is multiplied with. */
  const open = (commands: Commands, slopes?: Range): Part[] => {
    const states = commands.scratch(4 * tokens * width);
    recordStates(commands, gpu, given, tiles, states, slopes);
    const sumsOf = (width: number): Range | undefined => out && commands.scratch(4 * tokens * width);
    const strides: Strides = [width, 1];
    const parts: Part[] = [{ width, states, strides, weight: head.weight, gradStates: sumsOf(width) }];
    if (lora) {
      const { rank, scale } = lora;
      const u = commands.scratch(4 * tokens * rank);
      const a = numbersOfA(commands, lora);
      for (const tile of tiles) {
        recordProduct(commands, {
          sizes: [tile.count, rank, width],
          a: { range: rowsOf(states, width, tile), strides },
          b: { ...a, strides: [1, width] },
          to: { range: rowsOf(u, rank, tile), shift: 0 },
          scale,
        });
      }
      parts.push({ width: rank, states: u, strides: [rank, 1], weight: lora.b, gradStates: sumsOf(rank) });
    }
    if (bias) parts.push({ width: 1, states: commands.upload(Float32Array.of(1)), strides: [0, 0], weight: bias });
    const gradients = [out?.weight, ...(lora ? [out?.b] : []), out?.bias];
    return parts.map((part, p) => ({ ...part, gradWeight: gradients[p] }));
  };

  const statesOf = ({ states, width, strides }: Part, tile: Span): Range =>
    strides[1] === 0 ? states : rowsOf(states, width, tile);

  const recordLogits = (
    commands: Commands,
    parts: readonly Part[],
    weights: readonly Numbers[],
    tile: Span,
    shard: Span,
    range: Range,
  ) => {
    parts.forEach((part, p) => {
      recordProduct(commands, {
        sizes: [tile.count, shard.count, part.width],
        a: { range: statesOf(part, tile), strides: part.strides },
        b: { ...(weights[p] as Numbers), strides: [1, part.width] },
        to: { range, shift: 0 },
        accumulate: p > 0,
      });
    });
    return { range, type: "f32", shift: 0, ids: shard.count, id: shard.from, first: tile.from } as const;
  };

  const weightsOf = (commands: Commands, parts: readonly Part[], shard: Span): Numbers[] =>
    parts.map(({ weight, width }) => numbersOf(commands, weight, width, shard));

  return {
    places: Int32Array.from({ length: tokens }, (_, k) => k),
    size: tokens,

    forward(commands, list, statistics) {
      const parts = open(commands);
      const partial = commands.scratch(chunkBytes(tokens, chunks));
      const logits = commands.scratch(4 * sizes.ids * Math.min(sizes.tokens, tokens));
      const pass = { commands, gpu, tokens: list, statistics };
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = weightsOf(commands, parts, shard);
          for (const tile of tiles) {
            const piece = recordLogits(commands, parts, weights, tile, shard, logits);
            recordChunks(pass, piece, [tile.from, tile.count], s, chunks, partial);
          }
        });
      });
      return recordSums(commands, tokens, list, chunks, partial);
    },

    backward(commands, slopes) {
      const { accumulate, hidden, a: gradA } = out as LinearGradients;
      const parts = open(commands, slopes);
      const logits = commands.scratch(4 * sizes.ids * Math.min(sizes.tokens, tokens));
      const sums = parts.map(({ width }) => commands.scratch(4 * sizes.ids * width));
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = weightsOf(commands, parts, shard);
          const targets = parts.map(
            ({ gradWeight, weight, width }, p) =>
              gradWeight && openTarget(commands, gpu, gradWeight, weight, width, shard, accumulate, sums[p] as Range),
          );
          tiles.forEach((tile, t) => {
            const piece = recordLogits(commands, parts, weights, tile, shard, logits);
            recordGradient(commands, piece, piece, tile.count, slopes);
            parts.forEach((part, p) => {
              const { width, gradStates } = part;
              const target = targets[p];
              if (gradStates) {
                recordProduct(commands, {
                  sizes: [tile.count, width, shard.count],
                  a: { range: logits, strides: [shard.count, 1] },
                  b: { ...(weights[p] as Numbers), strides: [width, 1] },
                  to: { range: rowsOf(gradStates, width, tile), shift: 0 },
                  accumulate: s > 0,
                });
              }
              if (!target) return;
              recordProduct(commands, {
                sizes: [shard.count, width, tile.count],
                a: { range: logits, strides: [1, shard.count] },
                b: { range: statesOf(part, tile), type: "f32", shift: 0, strides: part.strides },
                to: target.into,
                accumulate: t > 0 || target.adds,
              });
            });
          });
          for (const target of targets) target?.finish();
        });
      });
      const [ofHidden, ofU] = parts as [Part, Part | undefined];
      const gradStates = ofHidden.gradStates as Range;
      if (lora && ofU) recordAdapter(commands, ofHidden, ofU, lora, gradA, accumulate);
      recordHidden(commands, gpu, given, hidden, gradStates, slopes);
    },
  };

  /** From the gradient of u to those of the adapter's a and of the hidden states. */
  function recordAdapter(
    commands: Commands,
    ofHidden: Part,
    ofU: Part,
    lora: NonNullable<HeadData["lora"]>,
    gradA: FloatData | undefined,
    accumulate: boolean,
  ): void {
    const { rank, scale } = lora;
    const a = numbersOfA(commands, lora);
    const all = { from: 0, count: rank };
    const spare = commands.scratch(4 * rank * width);
    const target = gradA && openTarget(commands, gpu, gradA, lora.a, width, all, accumulate, spare);
    tiles.forEach((tile, t) => {
      const ofTile = rowsOf(ofU.gradStates as Range, rank, tile);
      recordProduct(commands, {
        sizes: [tile.count, width, rank],
        a: { range: ofTile, strides: [rank, 1] },
        b: { ...a, strides: [width, 1] },
        to: { range: rowsOf(ofHidden.gradStates as Range, width, tile), shift: 0 },
        scale,
        accumulate: true,
      });
      if (!target) return;
      recordProduct(commands, {
        sizes: [rank, width, tile.count],
        a: { range: ofTile, strides: [1, rank] },
        b: { range: rowsOf(ofHidden.states, width, tile), type: "f32", shift: 0, strides: [width, 1] },
        to: target.into,
        scale,
        accumulate: t > 0 || target.adds,
      });
    });
    target?.finish();
  }
}
