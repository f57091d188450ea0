// Rows of logits in plain JavaScript, in float64. Half types are decoded by table.

import type { RowEngine, RowSlopes, RowSums } from "../../cpu/rows.ts";
import { decodeFloats, decodeTable, type FloatData, floatAt, setFloat, toBf16, toF16 } from "../../inputs/floats.ts";
import { type Transform, throughTransform, transformed } from "../../inputs/transform.ts";

/** The engine behind `sequenceLogps` and `logitsLoss` of the js backend. */
export function createJsRows(): RowEngine {
  const sums = newRowSums();
  const target = { ...sums, label: 0, hit: false };
  let row64 = new Float64Array();
  return {
    read(logits, row, vocab, statistics) {
      const { data, decode } = decoded(logits);
      const from = row * vocab;
      readRow(data, decode, from, from + vocab, statistics, sums);
      return sums;
    },
    gradient(logits, row, vocab, id, g, { max, sum }, out) {
      const { data, decode } = decoded(logits);
      const from = row * vocab;
      const write = out.type === "f16" ? toF16 : toBf16;
      for (let v = 0; v < vocab; v++) {
        const x = decode ? (decode[data[from + v] as number] as number) : (data[from + v] as number);
        const d = g === 0 ? 0 : slopeOf(g, v === id, x, max, sum);
        out.data[from + v] = out.type === "f32" ? d : write(Math.fround(d));
      }
    },
    readThrough(logits, row, vocab, id, statistics, transform) {
      if (row64.length !== vocab) row64 = new Float64Array(vocab);
      decodeFloats(logits, row * vocab, row64);
      for (let v = 0; v < vocab; v++) row64[v] = transformed(transform, row64[v] as number);
      readRow(row64, undefined, 0, vocab, statistics, target);
      target.label = row64[id] as number;
      target.hit = row64.indexOf(target.max) === id;
      return target;
    },
    gradientThrough(logits, row, vocab, id, slopes, transform, out) {
      for (let v = 0; v < vocab; v++) {
        const at = row * vocab + v;
        setFloat(out, at, Math.fround(chainedSlopeOf(slopes, v === id, floatAt(logits, at), transform)));
      }
    },
  };
}

export const newRowSums = (): RowSums => ({ max: 0, sum: 0, weighted: 0, squares: 0, total: 0 });

/**
 * g·(1[v = label] − e^(x−max)/sum), for g ≠ 0. A g beyond float32 counts as infinite, and a factor of 0 wins against it: that of
 * a logit of −∞, and of a label that has all of the probability. Twin of assembly/logprob-grad.ts.
 */
export function slopeOf(g: number, isLabel: boolean, x: number, max: number, sum: number): number {
  const p = Math.exp(x - max) / sum;
  const single = Math.fround(g);
  if (Number.isNaN(p) || Math.abs(single) !== Infinity) return isLabel ? g * (1 - p) : -(g * p);
  const hasNone = isLabel ? x === max && Math.fround(sum) === 1 : x === -Infinity;
  return hasNone ? 0 : isLabel ? single : -single;
}

/** The gradient with respect to a logit, through its transform if there is one, of a token's log-prob and entropy. */
export function chainedSlopeOf(
  { g, h, max, sum, mean }: RowSlopes,
  isLabel: boolean,
  x: number,
  transform: Transform | undefined,
): number {
  const z = transform ? transformed(transform, x) : x;
  const ofLogp = g === 0 ? 0 : slopeOf(g, isLabel, z, max, sum);
  const p = Math.exp(z - max) / sum;
  // h·p·(log p + H); what has no probability has no say.
  const ofEntropy = h === 0 || p === 0 ? 0 : -(h * p * (z - max - mean));
  return transform ? throughTransform(transform, z, ofLogp + ofEntropy) : ofLogp + ofEntropy;
}

const decoded = ({ type, data }: FloatData) => ({ data, decode: type === "f32" ? undefined : decodeTable(type) });

/** What elements `from` to `to` come to, numbers or bits to decode. */
export function readRow(
  data: FloatData["data"] | Float64Array,
  decode: Float32Array | undefined,
  from: number,
  to: number,
  statistics: boolean,
  into: RowSums,
): void {
  let max = -Infinity;
  for (let at = from; at < to; at++) {
    const x = decode ? (decode[data[at] as number] as number) : (data[at] as number);
    // Written so that a NaN is kept.
    if (!(x <= max)) max = x;
    if (Number.isNaN(max)) break;
  }
  let [sum, weighted, squares, total] = [0, 0, 0, 0];
  // Relative to 0 a row of −∞ alone sums to 0.
  const top = max === -Infinity ? 0 : max;
  for (let at = from; at < to; at++) {
    const x = decode ? (decode[data[at] as number] as number) : (data[at] as number);
    const below = x - top;
    const e = Math.exp(below);
    sum += e;
    if (!statistics) continue;
    if (e !== 0) weighted += e * below;
    squares += e * e;
    total += x;
  }
  into.max = max;
  into.sum = sum;
  into.weighted = weighted;
  into.squares = squares;
  into.total = total;
}
