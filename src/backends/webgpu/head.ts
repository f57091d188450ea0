// Hidden states and a head as a source of tokens: logits are computed a tile at a time, a range of ids for a range of tokens, and
// again in the backward pass. They never exist as a whole.

import type { LinearGradients } from "../../engine.ts";
import { BackendError } from "../../errors.ts";
import type { AnyFloats } from "../../inputs/floats.ts";
import type { HeadData } from "../../inputs/head.ts";
import type { Commands, Range } from "./commands.ts";
import { bindableBytes, type FloatRange, type Span } from "./device-rows.ts";
import { openSums, recordAdapter, recordHiddenGradient, recordPartGradients } from "./head-gradients.ts";
import { type HeadInputs, openParts, type Part, rangeOfRows, statesOf } from "./head-parts.ts";
import { recordProduct, TILE } from "./matmul.ts";
import { chunkBytes, type LogitsPiece, recordChunks, recordGradient, recordSums, recordTransform } from "./rows.ts";
import { FORWARD_CHUNK } from "./rows.wgsl.ts";
import type { Gpu } from "./submit.ts";
import type { TokenSource } from "./token-source.ts";

/** Bytes of the logits that exist at a time. */
const LOGITS_BYTES = 1 << 26;

const roundDown = (x: number, step: number): number => step * Math.floor(x / step);

/** Splits 0 .. n − 1 into equal spans; one empty span if n is 0. */
const split = (n: number, size: number): Span[] =>
  Array.from({ length: Math.max(1, Math.ceil(n / size)) }, (_, i) => ({
    from: i * size,
    count: Math.min(size, n - i * size),
  }));

const widestPart = ({ width, lora }: HeadData<AnyFloats>): number => Math.max(width, lora?.rank ?? 0);

// A shard of ids is one chunk of the forward pass, and even, so that rows of half floats end with whole words. Tokens come in
// whole tiles, so that the states of each start where a binding may.
function sizesOf({ device }: Gpu, { head, vocab }: HeadInputs): { ids: number; tokens: number } {
  const bytes = bindableBytes(device.limits);
  const most = bytes / 4 / widestPart(head);
  const ids = roundDown(Math.min(FORWARD_CHUNK, most, bytes / 4 / TILE, vocab + 1), 2);
  const tokens = roundDown(Math.min(most, Math.min(bytes, LOGITS_BYTES) / 4 / ids), TILE);
  return { ids, tokens };
}

/**
 * Refuses a head that is too wide for a tile of logits.
 *
 * Throws    BackendError
 */
export function checkHead(gpu: Gpu, inputs: HeadInputs): void {
  if (sizesOf(gpu, inputs).tokens > 0) return;
  const most = Math.floor(bindableBytes(gpu.device.limits) / 4 / TILE);
  throw new BackendError(
    "out-of-memory",
    `hiddenSize: expected at most ${most} on this GPU, got ${widestPart(inputs.head)}`,
  );
}

/** Records the products of a tile of logits, of all parts. */
function recordLogits(
  commands: Commands,
  parts: readonly Part[],
  weights: readonly FloatRange[],
  tile: Span,
  shard: Span,
  range: Range,
): LogitsPiece {
  parts.forEach((part, p) => {
    recordProduct(commands, {
      sizes: [tile.count, shard.count, part.width],
      a: { range: statesOf(part, tile), strides: part.strides },
      b: { ...(weights[p] as FloatRange), strides: [1, part.width] },
      to: { range, shift: 0 },
      accumulate: p > 0,
    });
  });
  return { range, type: "f32", shift: 0, ids: shard.count, id: shard.from, first: tile.from };
}

/** The tokens of a head; `out` says where gradients go, if there is a backward pass. */
export function headSource(gpu: Gpu, inputs: HeadInputs, out?: LinearGradients<AnyFloats>): TokenSource {
  const { head, list, vocab } = inputs;
  const { transform } = head;
  const tokens = list.rows.length;
  const sizes = sizesOf(gpu, inputs);
  const shards = split(vocab, sizes.ids);
  const tiles = split(tokens, sizes.tokens);
  const logitsBytes = 4 * sizes.ids * Math.min(sizes.tokens, tokens);

  return {
    slots: Int32Array.from({ length: tokens }, (_, k) => k),
    size: tokens,

    forward(commands, list, statistics) {
      const chunks = { count: shards.length, span: sizes.ids };
      const pass = { commands, gpu, inputs, tiles };
      const parts = openParts(pass);
      const partial = commands.scratch(chunkBytes(tokens, chunks));
      const range = commands.scratch(logitsBytes);
      const rows = { commands, gpu, tokens: list, statistics };
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = parts.map(({ weight, width }) => rangeOfRows(pass, weight, width, shard));
          for (const tile of tiles) {
            const logits = recordLogits(commands, parts, weights, tile, shard, range);
            if (transform) recordTransform(commands, logits, tile.count, transform, range);
            recordChunks(rows, logits, [tile.from, tile.count], s, chunks, partial);
          }
        });
      });
      return recordSums(commands, tokens, list, chunks, partial);
    },

    backward(commands, slopes, entropies) {
      const gradients = out as LinearGradients<AnyFloats>;
      const pass = { commands, gpu, inputs, tiles };
      const parts = openParts(pass, gradients, slopes);
      const range = commands.scratch(logitsBytes);
      const spares: (Range | undefined)[] = [];
      shards.forEach((shard, s) => {
        commands.part(() => {
          const weights = parts.map(({ weight, width }) => rangeOfRows(pass, weight, width, shard));
          const sums = parts.map(({ gradWeight, weight, width }, p) => {
            const spare = (): Range => (spares[p] ??= commands.scratch(4 * sizes.ids * width));
            return gradWeight && openSums(pass, gradWeight, weight, width, shard, gradients.accumulate, spare);
          });
          tiles.forEach((tile, t) => {
            const logits = recordLogits(commands, parts, weights, tile, shard, range);
            recordGradient(commands, logits, logits, tile.count, slopes, { transform, entropies });
            parts.forEach((part, p) => {
              const to = { sums: sums[p], adds: { states: s > 0, weight: t > 0 } };
              recordPartGradients(commands, part, weights[p] as FloatRange, range, tile, shard, to);
            });
          });
          for (const sum of sums) sum?.finish();
        });
      });
      const [ofHidden, ofAdapter] = parts as [Part, Part];
      if (head.lora) recordAdapter(pass, [ofHidden, ofAdapter], head.lora, gradients);
      const { hidden } = gradients;
      if (hidden) recordHiddenGradient(pass, hidden, ofHidden.gradStates as Range, slopes);
    },
  };
}
