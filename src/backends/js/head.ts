// Shards of a linear head in plain JavaScript, in float64.

import {
  columnsOf,
  gradientParts,
  hiddenParts,
  type LinearShards,
  type Part,
  SUMS,
  weightParts,
} from "../../cpu/head-shards.ts";
import { decodeFloats, decodeTable, floatAt, setFloat } from "../../inputs/floats.ts";
import { transformed } from "../../inputs/transform.ts";
import { chainedSlopeOf, newRowSums, readRow } from "./rows.ts";

/** The shards behind `linearLoss` of the js backend. */
export const jsLinearShards: LinearShards = {
  reserve() {},

  forward(shard, statistics) {
    const [states, head] = [hiddenParts(shard), weightParts(shard)];
    const { rows, targets, vocab, transform } = shard;
    const state = new Float64Array(columnsOf(shard));
    const logits = new Float64Array(vocab);
    const result = new Float64Array(SUMS * rows.length);
    const sums = newRowSums();
    for (let k = 0; k < rows.length; k++) {
      gather(states, k, state);
      for (let v = 0; v < vocab; v++) logits[v] = product(state, head, v);
      if (transform) for (let v = 0; v < vocab; v++) logits[v] = transformed(transform, logits[v] as number);
      readRow(logits, undefined, 0, vocab, statistics, sums);
      const { max, sum, weighted, squares, total } = sums;
      const label = logits[targets[k] as number] ?? 0;
      result.set([max, sum, weighted, squares, total, label, Math.max(logits.indexOf(max), 0)], SUMS * k);
    }
    return result;
  },

  backward(shard, slopes, out, _kept, entropies) {
    const [states, head, parts] = [hiddenParts(shard), weightParts(shard), gradientParts(shard, out)];
    const { rows, targets, vocab, transform } = shard;
    const stride = columnsOf(shard);
    const all = new Float64Array(rows.length * stride);
    const { from, to } = out.states;
    const width = to - from;
    const gradients = new Float64Array(rows.length * width);
    const [row, gradRow] = [new Float64Array(stride), new Float64Array(stride)];
    const of = (array: Float64Array, k: number): Float64Array => array.subarray(k * stride, (k + 1) * stride);
    for (let k = 0; k < rows.length; k++) gather(states, k, of(all, k));
    for (let v = 0; v < vocab; v++) {
      gather(head, v, row);
      gradRow.fill(0);
      for (let k = 0; k < rows.length; k++) {
        const [g, max, sum] = [slopes[3 * k] as number, slopes[3 * k + 1] as number, slopes[3 * k + 2] as number];
        const state = of(all, k);
        const [h, mean] = entropies ? [entropies[2 * k] as number, entropies[2 * k + 1] as number] : [0, 0];
        const d = chainedSlopeOf({ g, h, max, sum, mean }, targets[k] === v, dot(state, row), transform);
        if (width > 0) add(gradients.subarray(k * width, (k + 1) * width), d, row.subarray(from, to));
        if (parts.length > 0) add(gradRow, d, state);
      }
      for (const { floats, width, column } of parts) {
        for (let i = 0; i < width; i++) {
          const before = out.accumulate ? floatAt(floats, v * width + i) : 0;
          setFloat(floats, v * width + i, before + (gradRow[column + i] as number));
        }
      }
    }
    return { data: gradients, stride: width };
  },
};

// One row of an operand.
function gather(parts: readonly Part[], k: number, into: Float64Array): void {
  let at = 0;
  for (const { floats, width, rows } of parts) {
    decodeFloats(floats, (rows ? (rows[k] as number) : k) * width, into.subarray(at, at + width));
    at += width;
  }
}

// The dot product with one row of an operand.
function product(x: Float64Array, parts: readonly Part[], k: number): number {
  let [sum, at] = [0, 0];
  for (const { floats, width } of parts) {
    const { type, data } = floats;
    const table = type === "f32" ? undefined : decodeTable(type);
    for (let i = k * width; i < (k + 1) * width; i++) {
      const value = data[i] as number;
      sum += (x[at++] as number) * (table ? (table[value] as number) : value);
    }
  }
  return sum;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum;
}

function add(into: Float64Array, factor: number, x: Float64Array): void {
  for (let i = 0; i < x.length; i++) into[i] = (into[i] as number) + factor * (x[i] as number);
}
