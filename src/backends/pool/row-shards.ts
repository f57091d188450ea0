// A batch of rows cut into shards, and the rows of a shard put together for a worker.

import type { LogitRows } from "../../engine.ts";
import type { FloatData } from "../../inputs/floats.ts";
import { COPIED_LOGITS, LEAST_LOGITS, MOST_LOGITS } from "./break-even.ts";
import type { SentRows } from "./protocol.ts";

/** The tokens from..to−1 of the list, and the rows first..end−1 of the logits, gaps included. */
export interface Shard {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly end: number;
}

/**
 * Shards of about as many tokens each. Rows are computed one by one, so where they are cut does not change a bit: where nothing is
 * copied, each worker gets one, or as many as every other, since each costs both sides a message; small ones where copies are to
 * overlap work.
 */
export function cutRows({ rows, vocab, positions }: LogitRows, workers: number, copies: boolean): Shard[] {
  const logits = rows.length * vocab;
  const least = Math.ceil(logits / (copies ? COPIED_LOGITS : MOST_LOGITS));
  const even = workers * Math.ceil(least / workers);
  const count = Math.min(rows.length, copies ? least : Math.min(even, Math.ceil(logits / LEAST_LOGITS)));
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((rows.length * i) / count);
    const to = Math.floor((rows.length * (i + 1)) / count);
    const first = i === 0 ? 0 : (rows[from] as number);
    return { from, to, first, end: to < rows.length ? (rows[to] as number) : positions };
  });
}

/** A shard's rows where they lie, gaps included. */
export function rowsInPlace(
  { vocab, rows, targets, transform }: LogitRows,
  { from, to, first, end }: Shard,
): Omit<SentRows, "logits"> {
  return {
    vocab,
    rows: rows.subarray(from, to).map((row) => row - first),
    targets: targets.slice(from, to),
    positions: end - first,
    transform,
  };
}

/** A shard's rows that count, one after the other. */
export function rowsTogether({ vocab, targets, transform }: LogitRows, { from, to }: Shard): Omit<SentRows, "logits"> {
  return {
    vocab,
    rows: upTo(to - from),
    targets: targets.slice(from, to),
    positions: to - from,
    transform,
  };
}

/** 0 … n−1 */
export const upTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, k) => k);

/** Copies rows of `width` numbers, one after the other. */
export function gatherRows(data: FloatData["data"], rows: Int32Array, width: number, into: FloatData["data"]): void {
  eachRun(rows, (row, at, n) => into.set(data.subarray(row * width, (row + n) * width), at * width));
}

/** Copies them back to where they belong. */
export function scatter(
  { rows, vocab }: LogitRows,
  { from, to }: Shard,
  data: FloatData["data"],
  into: FloatData["data"],
): void {
  eachRun(rows.subarray(from, to), (row, at, n) => into.set(data.subarray(at * vocab, (at + n) * vocab), row * vocab));
}

/** Runs of consecutive rows: n rows from `row` on, the at-th of the list. */
function eachRun(rows: Int32Array, visit: (row: number, at: number, n: number) => void): void {
  for (let at = 0; at < rows.length; ) {
    const row = rows[at] as number;
    let n = 1;
    while (at + n < rows.length && rows[at + n] === row + n) n++;
    visit(row, at, n);
    at += n;
  }
}
