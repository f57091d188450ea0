// Names of losses that TRL once had: looked up where a name is not in the table `losses`.

import type { LossType } from "./index.ts";

/** Old name -> the loss it always meant, and a sentence for the warning that says what both names mean. */
export const oldNames: Readonly<Record<string, { readonly id: LossType; readonly meaning: string }>> = {
  aot_pair: {
    id: "aot_unpaired",
    meaning:
      "`aot_pair` is TRL's name up to v0.28 of `aot_unpaired` (chosen log-ratios, sorted, against rejected ones, " +
      "sorted); the paired loss (the policy's margins against the reference's) is `aot`, in every version",
  },
};

const weights = "a list with weights here";

/** Names that are no loss of the table under any name, and what to do instead. */
export const otherNames: Readonly<Record<string, string>> = {
  kto_pair: "it was removed from DPO in TRL v0.9.6; use KTO",
  kto: "it is a loss of KTO, not of DPO",
  apo_zero_unpaired: "it is a loss of KTO, not of DPO",
  bco: "it is a loss of BCO, not of DPO",
  mpo: `MPO is ${weights}: ["sigmoid", "bco_pair", "sft"], weighted [0.8, 0.2, 1]`,
  rpo: `RPO with α is ${weights}: ["sigmoid", "sft"], weighted [1, α]`,
  wpo: "WPO is a weighting of any of them, not a loss",
  ld_dpo: "LD-DPO is an option beside any of them, its α",
  tr_dpo: "TR-DPO updates the reference and leaves the loss as it is",
  cpo: "CPO's losses are cpo_sigmoid, cpo_hinge, cpo_ipo and simpo here",
  alphapo: "AlphaPO is an option of simpo and of CPO's losses here: alphapoAlpha",
};
