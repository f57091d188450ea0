// From a padded batch to its logits, and the trained heads that turn hidden states into them.

import { hiddenStates, type Model, multiply } from "./model.ts";

interface Batch {
  pairs: number;
  length: number;
  inputIds: Int32Array;
  attentionMask: Uint8Array;
}

/**
 * Hidden states of all rows, [2B·T·dim], rounded to float16 as in the recorded figures; zeros at padding.
 *
 * Rows go through the model one by one, so none sees another's padding.
 */
export function hiddenOf(model: Model, { pairs, length, inputIds, attentionMask }: Batch): Float64Array {
  const states = new Float64Array(2 * pairs * length * model.dim);
  for (let row = 0; row < inputIds.length; row += length) {
    const tokens = inputIds.subarray(row, row + length).filter((_, t) => attentionMask[row + t] === 1);
    states.set(hiddenStates(model, tokens).map(Math.f16round), row * model.dim);
  }
  return states;
}

/** [2B·T·vocab] */
export const logitsOf = (states: Float64Array, head: Float64Array, dim: number): Float32Array =>
  Float32Array.from(multiply(states, head, dim));
