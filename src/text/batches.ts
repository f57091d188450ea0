// Sequences in batches of like length, padded for a model.

import type { ModelBatch } from "./scorer-types.ts";

/** A prompt and its completion in one. */
export interface Sequence {
  readonly ids: Int32Array;
  /** Where the completion begins. */
  readonly completion: number;
}

/** The first token that counts: before the very first stands nothing that could predict it. */
export const firstCounted = ({ completion }: Sequence): number => Math.max(1, completion);

/** Whether a token counts at all. */
export const counts = (sequence: Sequence): boolean => firstCounted(sequence) < sequence.ids.length;

/** Lists of sequences, the longest first: what does not fit into memory fails at once, and padding stays small. */
export function batchesOf(sequences: readonly Sequence[], batchTokens: number): number[][] {
  const lengthOf = (i: number): number => (sequences[i] as Sequence).ids.length;
  const order = [...sequences.keys()].filter((i) => counts(sequences[i] as Sequence));
  order.sort((i, j) => lengthOf(j) - lengthOf(i));
  const batches: number[][] = [];
  let [batch, longest]: [number[], number] = [[], 0];
  for (const i of order) {
    if (batch.length === 0 || (batch.length + 1) * longest > batchTokens) {
      [batch, longest] = [[], lengthOf(i)];
      batches.push(batch);
    }
    batch.push(i);
  }
  return batches;
}

/** One batch, padded on the side that the model wants. */
export function padBatch(sequences: readonly Sequence[], side: "left" | "right", padTokenId: number): ModelBatch {
  const rows = sequences.length;
  const length = sequences.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const inputIds = new Int32Array(rows * length).fill(padTokenId);
  const attentionMask = new Uint8Array(rows * length);
  const positionIds = new Int32Array(rows * length);
  const completionMask = new Uint8Array(rows * length);
  let logitsFrom = length - 1;
  for (const [r, sequence] of sequences.entries()) {
    const { ids, completion } = sequence;
    const before = side === "left" ? length - ids.length : 0;
    const start = r * length + before;
    inputIds.set(ids, start);
    attentionMask.fill(1, start, start + ids.length);
    completionMask.fill(1, start + completion, start + ids.length);
    for (let t = 0; t < ids.length; t++) positionIds[start + t] = t;
    // Position t predicts token t + 1.
    logitsFrom = Math.min(logitsFrom, before + firstCounted(sequence) - 1);
  }
  // Behind padding on the left a row's first token has something before it, which predicts nothing of worth.
  for (const [r, { ids, completion }] of sequences.entries()) {
    if (completion === 0 && side === "left") completionMask[(r + 1) * length - ids.length] = 0;
  }
  return { rows, length, inputIds, attentionMask, positionIds, completionMask, logitsFrom };
}
