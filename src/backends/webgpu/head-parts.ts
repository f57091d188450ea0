// What adds to the logits of a head: hidden states times its weight, what an adapter makes of them times its b, 1 times the
// bias. Nothing is put together: each part is a product of its own, on operands where they lie.

import type { LinearGradients } from "../../engine.ts";
import type { FloatData } from "../../inputs/floats.ts";
import type { HeadData } from "../../inputs/head.ts";
import { type Commands, type Gpu, type Range, within } from "./commands.ts";
import type { HeadOnGpu, Span } from "./head.ts";
import { recordStates } from "./hidden.ts";
import { isOnDevice, pieceOfBuffer } from "./place.ts";
import { type Numbers, recordProduct, type Strides } from "./product.ts";
import { openTarget } from "./target.ts";

export interface Part {
  readonly width: number;
  /** Float32, a row a token; with strides of 0 one number for all. */
  readonly states: Range;
  readonly strides: Strides;
  /** A row an id. */
  readonly weight: FloatData;
  /** Where the gradient of the states is summed. */
  readonly gradStates?: Range | undefined;
  readonly gradWeight?: FloatData | undefined;
}

/** What the parts are opened for. */
export interface Opening {
  readonly commands: Commands;
  readonly gpu: Gpu;
  readonly given: HeadOnGpu;
  readonly tiles: readonly Span[];
}

/** Rows of an array for this part of the call, or of the caller's buffer. */
export function numbersOf(
  { commands, gpu }: Pick<Opening, "commands" | "gpu">,
  floats: FloatData,
  width: number,
  { from, count }: Span,
): Numbers {
  const { type, data } = floats;
  if (isOnDevice(floats)) return { ...pieceOfBuffer(gpu.device, floats, width, from, count), type };
  return { range: commands.upload(data.subarray(from * width, (from + count) * width)), type, shift: 0 };
}

/** The rows of these tokens. */
export const rowsOf = (range: Range, width: number, { from, count }: Span): Range =>
  within(range, 4 * width * from, Math.max(4, 4 * width * count));

export const statesOf = ({ states, width, strides }: Part, tile: Span): Range =>
  strides[1] === 0 ? states : rowsOf(states, width, tile);

/** The parts of a head; with `out` and `slopes` those of the backward pass, that of the hidden states first. */
export function openParts(opening: Opening, out?: LinearGradients, slopes?: Range): Part[] {
  const { commands, gpu, given, tiles } = opening;
  const { width, weight, bias, lora } = given.head;
  const tokens = given.list.rows.length;
  const sumsOf = (width: number): Range | undefined => out && commands.scratch(4 * tokens * width);
  const states = commands.scratch(4 * tokens * width);
  recordStates(commands, gpu, given, tiles, states, slopes);
  const strides: Strides = [width, 1];
  const parts: Part[] = [{ width, states, strides, weight, gradStates: sumsOf(width), gradWeight: out?.weight }];
  if (lora) {
    const { rank, scale, b } = lora;
    const u = commands.scratch(4 * tokens * rank);
    const a = numbersOf(opening, lora.a, width, { from: 0, count: rank });
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

/** From the gradient of what an adapter makes of hidden states to those of its a and of the hidden states. */
export function recordAdapter(
  opening: Opening,
  [ofHidden, ofU]: readonly [Part, Part],
  { a, rank, scale }: NonNullable<HeadData["lora"]>,
  { a: gradA, accumulate }: LinearGradients,
): void {
  const { commands, tiles } = opening;
  const { width } = ofHidden;
  const all = { from: 0, count: rank };
  const numbers = numbersOf(opening, a, width, all);
  const spare = (): Range => commands.scratch(4 * rank * width);
  const target = gradA && openTarget(opening, gradA, a, width, all, accumulate, spare);
  tiles.forEach((tile, t) => {
    const range = rowsOf(ofU.gradStates as Range, rank, tile);
    recordProduct(commands, {
      sizes: [tile.count, width, rank],
      a: { range, strides: [rank, 1] },
      b: { ...numbers, strides: [width, 1] },
      to: { range: rowsOf(ofHidden.gradStates as Range, width, tile), shift: 0 },
      scale,
      accumulate: true,
    });
    if (!target) return;
    recordProduct(commands, {
      sizes: [rank, width, tile.count],
      a: { range, strides: [1, rank] },
      b: { range: statesOf(ofHidden, tile), type: "f32", shift: 0, strides: ofHidden.strides },
      to: target.into,
      scale,
      accumulate: t > 0 || target.adds,
    });
  });
  target?.finish();
}
