// Where the logits of tokens come from and where their gradients go: rows of logits, or hidden states and a head. Everything else
// that a call with tokens does on the GPU is the same for both.

import type { EntropySlopes, TokenSums } from "../../engine.ts";
import type { Commands, Range } from "./commands.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";

/** Records the forward and backward pass of the tokens of one call. */
export interface TokenSource {
  /** The slot of each token among the slopes; ascending. */
  readonly slots: Int32Array;
  /** Number of slopes. */
  readonly size: number;
  /** Records the sums of every token, SUMS_WORDS per token; `tokens` holds slot and id of each. */
  forward(commands: Commands, tokens: Range, statistics: boolean): Range;
  /** `slopes` holds id, g, maximum and sum; where g is 0, the others do not count. `entropies`: dloss / dH and Σ p·(x−max). */
  backward(commands: Commands, slopes: Range, entropies?: Range): void;
}

/** Slot and id of each token. */
export function packTokens({ slots }: TokenSource, targets: Int32Array): Uint32Array {
  const words = new Uint32Array(2 * slots.length);
  slots.forEach((slot, k) => {
    words[2 * k] = slot;
    words[2 * k + 1] = targets[k] as number;
  });
  return words;
}

/** The slopes: id, g, maximum and sum of each token; 0 where there is none. */
export function packSlopes(
  { slots, size }: TokenSource,
  targets: Int32Array,
  g: Float64Array,
  { max, sum }: Pick<TokenSums, "max" | "sum">,
  entropy?: EntropySlopes,
): Uint32Array {
  const words = new Uint32Array(4 * Math.max(size, 1));
  const floats = new Float32Array(words.buffer);
  slots.forEach((slot, k) => {
    words[4 * slot] = targets[k] as number;
    floats.set([liveSlope(g[k] as number, entropy?.h[k]), max[k] as number, sum[k] as number], 4 * slot + 1);
  });
  return words;
}

/** dloss / d log p and dloss / dH of each token, whose maximum and sum only the GPU knows. */
export function packGiven(g: Float64Array, h: Float64Array | undefined): Float32Array {
  const floats = new Float32Array(2 * Math.max(g.length, 1));
  g.forEach((own, k) => {
    floats.set([liveSlope(own, h?.[k]), h?.[k] ?? 0], 2 * k);
  });
  return floats;
}

// A token whose entropy alone has a gradient counts: a g that adds nothing.
const liveSlope = (g: number, h = 0): number => (g === 0 && h !== 0 ? LEAST : g);

const LEAST = 2 ** -126;

/** dloss / dH and Σ p·(x−max) of each slot. */
export function packEntropies({ slots, size }: TokenSource, { h, mean }: EntropySlopes): Float32Array {
  const floats = new Float32Array(2 * Math.max(size, 1));
  slots.forEach((slot, k) => {
    floats.set([h[k] as number, mean[k] as number], 2 * slot);
  });
  return floats;
}

/** Reads what `forward` recorded, for a pair stage on the CPU. */
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

/** The tokens, from and to, whose slot lies in first .. first + count − 1. */
export function tokensIn(slots: Int32Array, first: number, count: number): readonly [from: number, to: number] {
  const below = (bound: number): number => {
    let [low, high] = [0, slots.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((slots[middle] as number) < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return [below(first), below(first + count)];
}
