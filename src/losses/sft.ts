import { defineLoss } from "./define.ts";

/**
 * Supervised fine-tuning: −Σ log π(chosen) / Σ chosen tokens, over the batch; one number, repeated for each pair.
 *
 * Note      A term of mixtures (RPO, MPO), seldom used alone. Needs chosenLengths; no reference; β only scales its rewards.
 * Paper     as the NLL term of RPO (arXiv:2404.19733) and MPO (arXiv:2411.10442); TRL's old `rpo_alpha` is its weight
 */
export const sft = defineLoss({
  id: "sft",
  title: "token mean of the chosen completions' negative log-likelihood",
  params: {},
  likelihood: (sum, tokens) => [-sum / tokens, -1 / tokens],
});
