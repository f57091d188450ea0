// How the work of a linear loss is cut, and put together again. Shards are ranges of the vocabulary, by the shape alone, and
// what they come to is merged in their order: one thread and any number of workers give the same bits.

import type { HeadGradients, LinearGradients } from "../engine.ts";
import type { FloatData } from "../inputs/floats.ts";
import type { Transform } from "../inputs/transform.ts";
import type { FloatArray } from "../types.ts";
import type { Adapter } from "./lora.ts";

/** A head over the hidden states of tokens: logits = hidden·weightᵀ + u·bᵀ + bias. Plain data, as a worker takes it. */
export interface LinearHead {
  /** Rows of `width` numbers, of which token k has rows[k]. */
  readonly hidden: FloatData;
  readonly rows: Int32Array;
  /** What each token predicts; of a shard, less its first id, so that others' are out of range. */
  readonly targets: Int32Array;
  /** D */
  readonly width: number;
  /** V; of a shard, its part of it. */
  readonly vocab: number;
  /** [vocab · width] */
  readonly weight: FloatData;
  /** [vocab] */
  readonly bias: FloatData | undefined;
  readonly lora: Adapter | undefined;
  /** What becomes of the logits. */
  readonly transform?: Transform | undefined;
}

/** A row of `width` numbers for each token. */
export interface Rows {
  readonly data: FloatArray;
  /** From one row to the next. */
  readonly stride: number;
}

/** Logits that wait for the backward pass, in the room of `keep`, and which of their tokens it is of. */
export interface KeptLogits {
  readonly logits: Float32Array;
  readonly picked: Int32Array;
}

/** What one thread does with a shard. Results hold until the next call. */
export interface LinearShards {
  /** Makes sure of the memory that a call with this head takes, or its forward pass alone. */
  reserve(head: LinearHead, isForward?: boolean): void;
  /** Room for a shard's logits, from its forward to its backward pass, which gives the same bits without; not everywhere. */
  keep?(shard: LinearHead): Float32Array<ArrayBuffer> | undefined;
  /** SUMS numbers a token; `statistics` fills 2 to 4 of them. */
  forward(shard: LinearHead, statistics: boolean, room?: Float32Array): Float64Array;
  /**
   * Writes the shard's gradients, of one token at least; gives its part of those of hidden states and u, from the first of
   * `out.states` on. `slopes`: g, max, Σ e^(x−max) a token; `entropies`, where losses look at them: dloss / dH, Σ p·(x−max) a token.
   */
  backward(
    shard: LinearHead,
    slopes: Float64Array,
    out: ShardGradients,
    kept?: KeptLogits,
    entropies?: Float64Array,
  ): Rows;
}

/** The gradients of a shard. */
export interface ShardGradients extends HeadGradients {
  /** The columns of hidden states whose gradients are wanted: their own, and those of an adapter's u. */
  readonly states: { readonly from: number; readonly to: number };
}

/** Of a token: max, Σe^d, Σe^d·d, Σe^2d, Σx with d = x − max; the target's logit; the first id of the greatest. */
export const SUMS = 7;
export const freshSums = [-Infinity, 0, 0, 0, 0, 0, 0];

/** What an operand's rows are put together from: rows of `width` numbers, of which row k has rows[k] or k. */
export interface Part {
  readonly floats: FloatData;
  readonly width: number;
  readonly rows?: Int32Array;
}

/** The columns of hidden states: logits are their product with those of `weightParts`. */
export function hiddenParts({ hidden, width, rows, lora, bias }: LinearHead): Part[] {
  return [
    { floats: hidden, width, rows },
    ...(lora ? [{ floats: lora.u, width: lora.rank }] : []),
    ...(bias ? [{ floats: { type: "f32" as const, data: new Float32Array(rows.length).fill(1) }, width: 1 }] : []),
  ];
}

export function weightParts({ weight, width, lora, bias }: LinearHead): Part[] {
  return [
    { floats: weight, width },
    ...(lora ? [{ floats: lora.b, width: lora.rank }] : []),
    ...(bias ? [{ floats: bias, width: 1 }] : []),
  ];
}

/** Where the columns from `column` on of a head's gradient go. */
export function gradientParts({ width, lora }: LinearHead, { weight, b, bias }: HeadGradients) {
  const rank = lora?.rank ?? 0;
  const parts = [
    { floats: weight, width, column: 0 },
    { floats: b, width: rank, column: width },
    { floats: bias, width: 1, column: width + rank },
  ];
  return parts.filter((part): part is (typeof parts)[number] & { floats: FloatData } => part.floats !== undefined);
}

/** Columns of an operand. */
export const columnsOf = ({ width, lora, bias }: LinearHead): number => width + (lora?.rank ?? 0) + (bias ? 1 : 0);

/** A multiple of the rows of the vocabulary that kernels take at a time. */
const STEP = 256;
/** Partial gradients of hidden states that all workers may hold at once. */
const PARTIAL_BYTES = 32e6;

/**
 * Where to cut the vocabulary: into eight, or four where the partial gradients of eight would take too much memory; less where
 * there is little of it. Neither bias nor adapter has a say: a head and the same with an adapter of zeros give the same bits.
 */
export function cutVocabulary(head: LinearHead): { readonly from: number; readonly to: number }[] {
  const most = 8 * 4 * head.rows.length * head.width <= PARTIAL_BYTES ? 8 : 4;
  const size = Math.ceil(head.vocab / most / STEP) * STEP;
  return Array.from({ length: Math.ceil(head.vocab / size) }, (_, i) => ({
    from: i * size,
    to: Math.min((i + 1) * size, head.vocab),
  }));
}

type Range = ReturnType<typeof cutVocabulary>[number];

/** Logits that are kept where the caller says nothing: all of them, or none. measured: docs/performance.md, "Fused linear" */
const KEPT_BYTES = 64 << 20;

/** How many of the first shards keep their logits for the backward pass; `keep` is the caller's limit in bytes. */
export function countKept({ rows, vocab }: LinearHead, ranges: readonly Range[], keep: number | undefined): number {
  const bytesOfId = 4 * rows.length;
  if (keep === undefined) return bytesOfId * vocab <= KEPT_BYTES ? ranges.length : 0;
  return ranges.filter(({ to }) => bytesOfId * to <= keep).length;
}

const cut = ({ type, data }: FloatData, width: number, { from, to }: Range): FloatData => ({
  type,
  data: data.subarray(from * width, to * width),
});

/** The part of a head that has these ids. */
export function cutHead(head: LinearHead, range: Range): LinearHead {
  const { targets, width, weight, bias, lora } = head;
  return {
    ...head,
    targets: targets.map((id) => id - range.from),
    vocab: range.to - range.from,
    weight: cut(weight, width, range),
    bias: bias && cut(bias, 1, range),
    lora: lora && { ...lora, b: cut(lora.b, lora.rank, range) },
  };
}

/** The part of a head's gradients that has these ids. */
export function cutGradients(
  { hidden, weight, bias, b, accumulate }: LinearGradients,
  { width, lora }: LinearHead,
  range: Range,
): ShardGradients {
  const rank = lora?.rank ?? 0;
  return {
    states: { from: hidden ? 0 : width, to: width + rank },
    weight: weight && cut(weight, width, range),
    bias: bias && cut(bias, 1, range),
    b: b && cut(b, rank, range),
    accumulate,
  };
}
