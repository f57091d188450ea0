// The negative log-likelihood of the chosen rows, prompts included, that goes with ORPO: a token mean over the batch. Prompts are read
// beside the tokens of completions, and count in nothing else.

import type { TokenSums } from "../engine.ts";
import type { PromptTokens } from "../inputs/prompts.ts";
import { logpOf, newSums } from "./sequences.ts";

const chosenTokens = ({ all }: PromptTokens): number => all.start[all.pairs] as number;

/** Room for the sums of all tokens. */
export const newPromptSums = (prompts: PromptTokens, statistics: boolean): TokenSums =>
  newSums(prompts.all, chosenTokens(prompts), statistics);

/** Copies the sums of the completions' tokens out of those of all tokens. */
export function takeOwn({ own }: PromptTokens, from: TokenSums, to: TokenSums): void {
  own.forEach((at, k) => {
    to.max[k] = from.max[at] as number;
    to.sum[k] = from.sum[at] as number;
    to.label[k] = from.label[at] as number;
    if (k < to.hit.length) to.hit[k] = from.hit[at] as number;
    for (const name of ["weighted", "squares", "total"] as const) {
      if (to.statistics && from.statistics) to.statistics[name][k] = from.statistics[name][at] as number;
    }
  });
}

/** Minus the mean log-prob of the chosen rows' tokens, prompts included. */
export function promptNll(prompts: PromptTokens, sums: TokenSums): number {
  const tokens = chosenTokens(prompts);
  let sum = 0;
  for (let k = 0; k < tokens; k++) sum += logpOf(sums, k);
  return -sum / tokens;
}

/** dloss / d log p of every token: what the completions have, and the share of the NLL. */
export function withPrompts(prompts: PromptTokens, gradients: Float64Array, weight: number): Float64Array {
  const all = new Float64Array(prompts.all.rows.length);
  prompts.own.forEach((at, k) => {
    all[at] = gradients[k] as number;
  });
  const tokens = chosenTokens(prompts);
  for (let k = 0; k < tokens; k++) all[k] = (all[k] as number) - weight / tokens;
  return all;
}
