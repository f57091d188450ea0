// Where the logits of a call's tokens come from and where their gradients go: rows of logits, or hidden states and a head.
// All else that a call with tokens does on the GPU is the same for both.

import type { TokenSums } from "../../engine.ts";
import type { Commands, Range } from "./commands.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";

/** Records how the tokens of one call are read, and how their gradients are taken further. */
export interface TokenSource {
  /** The place of each token among the slopes; ascending. */
  readonly places: Int32Array;
  /** Places in all. */
  readonly size: number;
  /** What every token comes to, SUMS_WORDS a token; `tokens` holds place and id of each. */
  forward(commands: Commands, tokens: Range, statistics: boolean): Range;
  /** `slopes` holds id, g, maximum and sum at each place; where g is 0 nothing counts. */
  backward(commands: Commands, slopes: Range): void;
}

/** Place and id of each token. */
export function packTokens({ places }: TokenSource, targets: Int32Array): Uint32Array {
  const words = new Uint32Array(2 * places.length);
  places.forEach((place, k) => {
    words[2 * k] = place;
    words[2 * k + 1] = targets[k] as number;
  });
  return words;
}

/** id, g, maximum and sum at each place; 0 where there is no token. */
export function packSlopes(
  { places, size }: TokenSource,
  targets: Int32Array,
  g: Float64Array,
  { max, sum }: Pick<TokenSums, "max" | "sum">,
): Uint32Array {
  const words = new Uint32Array(4 * Math.max(size, 1));
  const floats = new Float32Array(words.buffer);
  places.forEach((place, k) => {
    words[4 * place] = targets[k] as number;
    floats.set([g[k] as number, max[k] as number, sum[k] as number], 4 * place + 1);
  });
  return words;
}

/** What the forward pass leaves, for the stage in between on this side. */
export function unpackSums(bytes: ArrayBuffer, { max, sum, label, hit, statistics }: TokenSums): void {
  const floats = new Float32Array(bytes);
  const words = new Uint32Array(bytes);
  for (let k = 0, at = 0; k < max.length; k++, at += SUMS_WORDS) {
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

/** Tokens k from..to have their places in first .. first + count − 1. */
export function tokensIn(places: Int32Array, first: number, count: number): readonly [from: number, to: number] {
  const below = (bound: number): number => {
    let [low, high] = [0, places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[middle] as number) < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [below(first), below(first + count)];
}
