// Rows of logits one after another, as this thread and each worker take them.

import type { LogitsEngine } from "../engine.ts";
import { type FloatData, floatAt } from "../inputs/floats.ts";
import { clearGaps } from "../inputs/tokens.ts";
import type { Transform } from "../inputs/transform.ts";

/** What one row of logits comes to. */
export interface RowSums {
  max: number;
  /** Σ e^(x−max) */
  sum: number;
  /** Σ e^(x−max)·(x−max), for the entropy; this and the next two only when asked for. */
  weighted: number;
  /** Σ e^2(x−max), for WPO. */
  squares: number;
  /** Σ x */
  total: number;
}

/** What a backend does with rows of logits; `row` counts rows of `vocab` numbers. */
export interface RowEngine {
  /** `statistics` also fills the last three. The result holds until the next call. */
  read(logits: FloatData, row: number, vocab: number, statistics: boolean): Readonly<RowSums>;
  /** Writes g·(1[v = id] − e^(x−max)/sum) for the row; `out` may be `logits`. */
  gradient(logits: FloatData, row: number, vocab: number, id: number, g: number, sums: RowPair, out: FloatData): void;
  /** As `read`, of logits that are transformed first; and of the very same numbers the label's, and whether it is the first of the greatest. */
  readThrough(
    logits: FloatData,
    row: number,
    vocab: number,
    id: number,
    statistics: boolean,
    transform: Transform,
    kept: FloatData | undefined,
  ): Readonly<RowSums & { label: number; hit: boolean }>;
  /** The gradient through a transform, or of an entropy; `kept` is what `readThrough` was given. */
  gradientThrough(
    logits: FloatData,
    row: number,
    vocab: number,
    id: number,
    slopes: Readonly<RowSlopes>,
    transform: Transform | undefined,
    out: FloatData,
    kept: FloatData | undefined,
  ): void;
}

/** The gradients of a row's log-prob and entropy, and what its own needs of the row. */
export interface RowSlopes {
  /** dloss / d log p(target) */
  g: number;
  /** dloss / d entropy */
  h: number;
  max: number;
  sum: number;
  /** Σ p·(x−max) */
  mean: number;
}

/** What the backward pass needs of a row. */
export interface RowPair {
  readonly max: number;
  readonly sum: number;
}

/** Row after row, in this thread. With `keeps` nothing can stop a call between the two passes, so that logits may be kept in its results. */
export function eachRow(engine: RowEngine, keeps = false): LogitsEngine<void> {
  return {
    read({ logits, vocab, rows, targets, transform, kept }, { max, sum, label, hit, statistics }) {
      for (let k = 0; k < rows.length; k++) {
        const row = rows[k] as number;
        const id = targets[k] as number;
        const all = statistics !== undefined;
        const through =
          transform && engine.readThrough(logits, row, vocab, id, all, transform, keeps ? kept : undefined);
        const sums = through ?? engine.read(logits, row, vocab, all);
        max[k] = sums.max;
        sum[k] = sums.sum;
        const value = through ? through.label : floatAt(logits, row * vocab + id);
        label[k] = value;
        const isHit = (): boolean => value === sums.max && isFirst(logits, row * vocab, id);
        if (k < hit.length && (through ? through.hit : isHit())) hit[k] = 1;
        if (!statistics) continue;
        statistics.weighted[k] = sums.weighted;
        statistics.squares[k] = sums.squares;
        statistics.total[k] = sums.total;
      }
    },
    gradient({ logits, vocab, rows, targets, positions, transform, kept }, g, { max, sum }, { out, clear }, entropy) {
      const pair = { max: 0, sum: 0, g: 0, h: 0, mean: 0 };
      if (clear) clearGaps(rows, 0, positions, out.data, vocab);
      for (let k = 0; k < rows.length; k++) {
        pair.max = max[k] as number;
        pair.sum = sum[k] as number;
        const [row, id] = [rows[k] as number, targets[k] as number];
        pair.h = entropy?.h[k] ?? 0;
        if (!transform && pair.h === 0) {
          engine.gradient(logits, row, vocab, id, g[k] as number, pair, out);
          continue;
        }
        pair.g = g[k] as number;
        pair.mean = entropy?.mean[k] ?? 0;
        engine.gradientThrough(logits, row, vocab, id, pair, transform, out, keeps && transform ? kept : undefined);
      }
    },
  };
}

// Whether no id before this one has a logit as large: the first index wins ties. Half types compare as bits, zeros as both.
function isFirst({ type, data }: FloatData, from: number, id: number): boolean {
  const before = data.subarray(from, from + id);
  const value = data[from + id] as number;
  const isHalfZero = type !== "f32" && (value & 0x7fff) === 0;
  return !before.includes(value) && !(isHalfZero && before.includes(value ^ 0x8000));
}
