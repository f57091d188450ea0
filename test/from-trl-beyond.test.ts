// fromTrl over the configurations of TRL's other trainers, against TRL's numbers: test/golden/README.md, `beyond.json`.

import { describe, expect, it } from "vitest";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import type { LossOptions } from "../src/types.ts";
import { missesNear } from "./support/compare.ts";
import { js, text } from "./support/from-trl.ts";

describe("golden numbers of TRL v1.9.0", () => {
  type Numbers = readonly (number | string)[];
  interface Block {
    per_pair?: Numbers;
    per_example?: Numbers;
  }
  interface Case {
    id: string;
    batch: string;
    trainer?: "cpo" | "orpo";
    loss_type: string;
    hyper: TrlConfig;
    f64: Block;
    stable_f64?: Block;
  }
  type Part = { batches: Record<string, Record<string, Numbers>>; cases: Case[] };
  const golden: { paired: Part; unpaired: Part } = JSON.parse(text("./golden/beyond.json"));
  const toFloats = (values: Numbers = []): Float64Array => Float64Array.from(values, Number);
  const misses = (got: Float32Array, { f64, stable_f64 }: Case): string[] => {
    const { per_pair, per_example } = stable_f64 ?? f64;
    const want = toFloats(per_pair ?? per_example);
    const finite = [...want].map((x, i) => (Math.abs(x) < 3e38 ? i : -1)).filter((i) => i >= 0);
    return missesNear(
      "losses",
      finite.map((i) => got[i] as number),
      finite.map((i) => want[i] as number),
      1e-5,
      1e-5,
    );
  };

  it.each(golden.paired.cases.map((one) => [one.id, one] as const))("%s", (_id, one) => {
    const batch = golden.paired.batches[one.batch] ?? {};
    const config = one.trainer === "orpo" ? one.hyper : { loss_type: one.loss_type, ...one.hyper };
    const { cpoAlpha: _, ...loss }: LossOptions = fromTrl(config, {
      trainer: one.trainer,
    }).loss;
    const { losses } = js.pairLoss(
      {
        policyChosen: toFloats(batch["policy_chosen_logps"]),
        policyRejected: toFloats(batch["policy_rejected_logps"]),
        chosenLengths: toFloats(batch["chosen_lengths"]),
        rejectedLengths: toFloats(batch["rejected_lengths"]),
      },
      loss,
    );
    expect(misses(losses, one)).toEqual([]);
  });

  it.each(golden.unpaired.cases.map((one) => [one.id, one] as const))("%s", (_id, one) => {
    const batch = golden.unpaired.batches[one.batch] ?? {};
    const { loss } = fromTrl({ loss_type: one.loss_type, ...one.hyper }, { trainer: "kto" });
    const isKto = one.loss_type === "kto";
    const { losses } = js.unpairedLoss(
      {
        policy: toFloats(batch["policy_logps"]),
        reference: toFloats(batch["ref_logps"]),
        desirable: Array.from(batch["labels"] ?? [], Boolean),
        ...(isKto && { klPolicy: toFloats(batch["kl_policy_logps"]), klReference: toFloats(batch["kl_ref_logps"]) }),
      },
      loss,
    );
    expect(misses(losses, one)).toEqual([]);
  });
});
