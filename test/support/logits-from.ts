// Batches whose logits or hidden states are of each row's last positions alone, and the same ones of all positions.

import type { Tokens } from "../../src/types.ts";
import { type LinearCase, randomLinear } from "./linear.ts";
import { randomLogits } from "./logits.ts";

export const FROM = 3;
export const [pairs, length, vocab, width] = [3, 9, 13, 5];

/** Prompts of at least FROM + 1 tokens, so that nothing is predicted before position FROM. */
function behindPrompts(tokens: Tokens): Tokens & { inputIds: Int32Array } {
  const completionMask = (tokens.completionMask as Uint8Array).map((bit, at) => (at % length > FROM ? bit : 0));
  for (let r = 0; r < 2 * pairs; r++) completionMask[r * length + FROM + 1 + (r % 3)] = 1;
  return { ...tokens, inputIds: tokens.inputIds as Int32Array, completionMask };
}

/** What stands at the trailing positions of each row. */
export function trailing(values: Float32Array, size: number): Float32Array {
  const rows = Array.from({ length: 2 * pairs }, (_, r) =>
    values.subarray((r * length + FROM) * size, (r + 1) * length * size),
  );
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

const whole = randomLogits({ pairs, length, vocab, seed: 5, holes: 0.2 });
export const tokens = behindPrompts(whole.tokens);
export const shorter = { ...tokens, logitsFrom: FROM };
export const all = { ...whole, tokens };
export const last = {
  ...{ tokens: shorter, vocab, logits: trailing(whole.logits, vocab) },
  reference: { logits: trailing(whole.reference.logits, vocab) },
};

export const allStates: LinearCase = {
  ...randomLinear({ pairs, length, vocab, width, seed: 6 }),
  tokens: tokens as never,
};
export const lastStates = {
  ...allStates,
  tokens: shorter,
  hidden: trailing(allStates.hidden as Float32Array, width),
  reference: { ...allStates.reference, hidden: trailing(allStates.reference.hidden as Float32Array, width) },
};

export const options = { lossType: ["sigmoid", "sft"], metrics: "full" } as const;
export const perToken = ["logps", "tokenLogps", "logsumexp"] as const;
