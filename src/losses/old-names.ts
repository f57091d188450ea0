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

/** Names that TRL's DPO no longer has under any name, and what to do instead. */
export const removedNames: Readonly<Record<string, string>> = {
  kto_pair: "it was removed from DPO in TRL v0.9.6; use KTO",
  kto: "it is a loss of KTO, not of DPO",
};
