// fromTrl: how options are read, and the keys that nothing reads.

import { describe, expect, it } from "vitest";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { elsewhereKeys, ownersOf, silentKeys } from "../src/from-trl/keys.ts";
import { loss, refusal, warnings } from "./support/from-trl.ts";

describe("options", () => {
  it("that nothing uses are left out, with a warning unless they are TRL's default", () => {
    for (const [key, value, byDefault] of [
      ["label_smoothing", 0.7, 0],
      ["discopop_tau", 0.1, 0.05],
    ] as const) {
      expect(fromTrl({ loss_type: "hinge", [key]: value })).toMatchObject({
        loss: { lossType: "hinge" },
        warnings: [`${key}: hinge does not use it; left out`],
      });
      expect(fromTrl({ loss_type: "hinge", [key]: byDefault })).toMatchObject({ warnings: [] });
    }
    // The rewards of every loss use β.
    expect(fromTrl({ loss_type: "sft", beta: 0.3 })).toMatchObject({
      loss: { lossType: "sft", beta: 0.3 },
      warnings: [],
    });
    expect(refusal(() => fromTrl({ loss_type: "sft", beta: 0 }))).toMatchObject({ code: "out-of-range" });
    expect(warnings({ f_alpha_divergence_coef: 0.7 })).toMatch(/only f_divergence_type: "alpha_divergence" uses it/);
  });

  it("of the divergence go where it has a meaning", () => {
    for (const type of ["sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "discopop"]) {
      const config = { loss_type: [type, "sft"], f_divergence_type: "forward_kl" };
      expect(loss(config)).toStrictEqual({ lossType: [type, "sft"], fDivergence: "forward_kl" });
    }
    const others = ["nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down"];
    for (const type of [...others, "sft"]) {
      const config = { loss_type: type, f_divergence_type: "js_divergence" };
      expect(loss(config, "1.9.2")).toStrictEqual({ lossType: type });
      expect(warnings(config, "1.9.2")).toMatch(/does not use it.*left out/);
    }
    // TRL refuses them since v1.10, except beside sft, which it leaves as it is.
    for (const type of others) {
      for (const loss_type of [type, ["sigmoid", type], [type, "sft"]]) {
        for (const version of [undefined, "1.10.0", "1.16.0"]) {
          const error = refusal(() => fromTrl({ loss_type, f_divergence_type: "js_divergence" }, { version }));
          expect(error.code).toBe("unused-option");
          expect(error.message).toMatch(
            new RegExp(
              `^config\\.f_divergence_type: expected "reverse_kl" beside ${type} \\(as in TRL v1\\.1.*"js_divergence"`,
            ),
          );
        }
        expect(loss({ loss_type, f_divergence_type: "reverse_kl" }).fDivergence).toBeUndefined();
      }
    }
    expect(loss({ loss_type: "sft", f_divergence_type: "js_divergence" })).toStrictEqual({ lossType: "sft" });
    expect(warnings({ loss_type: "sft", f_divergence_type: "js_divergence" })).toMatch(/sft does not use it; left out/);
    const mixed = { loss_type: ["sigmoid", "nca_pair"], f_divergence_type: "js_divergence" };
    expect(loss(mixed, "1.9.2")).toStrictEqual({ lossType: ["sigmoid", "nca_pair"] });
    expect(warnings(mixed, "1.9.2")).toMatch(/nca_pair does not use it \(TRL v0\.29.*in a call of their own/);
    expect(loss({ loss_type: "discopop", f_divergence_type: "js_divergence" }, "0.24.0").fDivergence).toBeUndefined();
    expect(loss({ loss_type: "bco_pair", f_divergence_type: "reverse_kl" })).toStrictEqual({ lossType: "bco_pair" });
    for (const spelling of ["js_divergence", "JS_DIVERGENCE", "FDivergenceType.JS_DIVERGENCE"]) {
      expect(loss({ f_divergence_type: spelling })).toStrictEqual({ fDivergence: "js_divergence" });
    }
  });

  it("of reference-free training go where TRL applied them", () => {
    for (const type of ["sigmoid", "robust", "exo_pair", "hinge", "ipo", "apo_zero", "apo_down"]) {
      expect(loss({ loss_type: type, reference_free: true }, "0.24.0")).toMatchObject({ referenceFree: true });
    }
    for (const type of ["bco_pair", "sppo_hard", "nca_pair", "aot", "aot_unpaired", "discopop", "sft"]) {
      const config = { loss_type: type, reference_free: true };
      expect(loss(config, "0.24.0")).not.toHaveProperty("referenceFree");
      expect(warnings(config, "0.24.0")).toMatch(/^reference_free: TRL never applied it/m);
    }
    expect(loss({ loss_type: ["sigmoid", "aot"], reference_free: true })).not.toHaveProperty("referenceFree");
    expect(loss({ reference_free: false })).toStrictEqual({});
    expect(warnings({ reference_free: true })).toMatch(/gone since TRL v0\.29/);
  });

  it("rpo_alpha is one more loss", () => {
    expect(loss({ rpo_alpha: 0.5 }, "0.24.0")).toStrictEqual({ lossType: ["sigmoid", "sft"], lossWeights: [1, 0.5] });
    expect(loss({ loss_type: ["ipo", "hinge"], loss_weights: [2, 3], rpo_alpha: 1 })).toStrictEqual({
      lossType: ["ipo", "hinge", "sft"],
      lossWeights: [2, 3, 1],
    });
    expect(warnings({ rpo_alpha: 1 })).toMatch(/^rpo_alpha: read as one more loss, sft, of weight 1; .*gone since/);
    expect(loss({ loss_type: "hinge", rpo_alpha: 0 })).toStrictEqual({ lossType: "hinge" });
    expect(loss({ rpo_alpha: 0.5 }, "0.9.6")).toStrictEqual({ lossType: ["sigmoid", "sft"], lossWeights: [0.5, 1] });
  });

  it("ldAlpha and weighting are for calls that see more than pairs", () => {
    expect(loss({ ld_alpha: 0.5 })).toStrictEqual({ ldAlpha: 0.5 });
    expect(warnings({ ld_alpha: 0.5 })).toMatch(/pairLoss refuses it/);
    expect(fromTrl({ ld_alpha: 1 })).toStrictEqual(fromTrl({}));
    expect(loss({ loss_type: "sft", ld_alpha: 0.5 })).toStrictEqual({ lossType: "sft" });
    expect(refusal(() => fromTrl({ ld_alpha: 1.5 })).code).toBe("out-of-range");
    expect(loss({ use_weighting: true })).toStrictEqual({ weighting: "wpo" });
    expect(warnings({ use_weighting: true })).toMatch(/pairLoss refuses weighting/);
    for (const type of ["aot", "aot_unpaired", "sft"]) {
      expect(loss({ loss_type: ["sigmoid", type], use_weighting: true })).not.toHaveProperty("weighting");
      expect(warnings({ loss_type: type, use_weighting: true })).toMatch(/^use_weighting: WPO weights pairs/);
    }
  });

  it("of truncation carry the version's default where max_length needs it", () => {
    const mode = (config: TrlConfig, version?: string) => fromTrl(config, { version }).collate.truncationMode;
    expect(mode({ max_length: 9 })).toBeUndefined();
    expect(mode({}, "0.24.0")).toBeUndefined();
    expect(mode({ max_length: 9 }, "0.24.0")).toBe("keep_end");
    expect(mode({ max_length: 9, truncation_mode: "keep_start" }, "0.24.0")).toBe("keep_start");
    expect(mode({ max_length: 9, truncation_mode: "keep_end" }, "0.13.0")).toBe("keep_start");
    expect(mode({ max_length: 9, truncation_mode: "keep_end" }, "0.9.6")).toBe("keep_end");
    expect(warnings({ max_length: 9 }, "0.24.0")).toMatch(/^truncation_mode: .*keep_end/);
    expect(warnings({ max_length: 9 }, "0.9.6")).toMatch(/^max_length: /);
    expect(warnings({ max_length: 9, max_prompt_length: 4 }, "0.13.0")).toBe("");
  });
});

describe("keys of TRL 1.16", () => {
  it('pad_to_multiple_of as its command line gives it, and "auto"', () => {
    for (const given of ["auto", "AUTO", "none", "null", "None", null]) {
      expect(fromTrl({ pad_to_multiple_of: given })).toStrictEqual(fromTrl({}));
    }
    expect(fromTrl({ pad_to_multiple_of: "8" }).collate).toStrictEqual({ padToMultipleOf: 8 });
    expect(fromTrl({ pad_to_multiple_of: 16 }).collate).toStrictEqual({ padToMultipleOf: 16 });
    for (const wrong of ["", "0", "-8", "8.5", "eight", 0, 1.5]) {
      expect(refusal(() => fromTrl({ pad_to_multiple_of: wrong })).message).toMatch(
        /^config\.pad_to_multiple_of: expected a positive integer or "auto", got /,
      );
    }
  });

  it("all at their defaults say nothing", () => {
    const defaults = {
      ...{ loss_type: ["sigmoid"], loss_weights: null, beta: 0.1, label_smoothing: 0, discopop_tau: 0.05 },
      ...{ f_divergence_type: "reverse_kl", f_alpha_divergence_coef: 0.5, ld_alpha: null, use_weighting: false },
      ...{ max_length: 1024, truncation_mode: "keep_start", padding_free: false, pad_to_multiple_of: "auto" },
      ...{ precompute_ref_log_probs: false, precompute_ref_batch_size: null, activation_offloading: false },
      ...{ sync_ref_model: false, ref_model_mixup_alpha: 0.6, ref_model_sync_steps: 512, pad_token: null },
      ...{ router_aux_loss_coef: null, disable_dropout: true, dataset_num_proc: null, trust_remote_code: false },
      ...{ learning_rate: 1e-6, logging_steps: 10, gradient_checkpointing: true, lr_scheduler_kwargs: null },
      ...{ activation_checkpointing: false, activation_checkpointing_kwargs: null, use_liger_kernel: false },
    };
    expect(fromTrl(defaults)).toStrictEqual({
      loss: { lossType: "sigmoid", beta: 0.1, labelSmoothing: 0 },
      collate: { maxLength: 1024, truncationMode: "keep_start" },
      train: { learningRate: 1e-6 },
      warnings: [],
    });
  });

  it("gradient accumulation", () => {
    expect(fromTrl({ gradient_accumulation_steps: 2, per_device_train_batch_size: 4 }).train).toStrictEqual({
      batchSize: 4,
      gradientAccumulationSteps: 2,
    });
  });
});

describe("configurations that cannot be read", () => {
  it("are refused by type", () => {
    const hostile = {
      get beta(): never {
        throw new Error("no");
      },
    };
    expect(refusal(() => fromTrl(hostile)).message).toBe(
      "config: expected an object that can be read, got one that throws",
    );
    for (const config of [null, undefined, 3, "x", [], new Map(), new Float32Array(1)]) {
      expect(refusal(() => fromTrl(config as never)).code).toBe("wrong-kind");
    }
  });

  it("and what is inherited counts", () => {
    class Config {
      beta = 0.3;
    }
    expect(loss(new Config() as never)).toStrictEqual({ beta: 0.3 });
    expect(loss(Object.create({ beta: 0.2 }))).toStrictEqual({ beta: 0.2 });
  });
});

describe("keys that nothing reads", () => {
  it.each(Object.entries(elsewhereKeys))("%s warns where it is on", (key, { off, says }) => {
    const trainer = ownersOf(key)[0] ?? "dpo";
    const others = fromTrl({}, { trainer }).warnings;
    for (const value of off) expect(fromTrl({ [key]: value }, { trainer }).warnings).toStrictEqual(others);
    expect(fromTrl({ [key]: "on" }, { trainer }).warnings).toStrictEqual([...others, `${key}: ${says}`]);
  });

  it("are silent where they only run the job", () => {
    const config = Object.fromEntries(silentKeys.map((key) => [key, "anything"]));
    expect(fromTrl(config)).toStrictEqual(fromTrl({}));
  });

  it.each([
    ["lable_smoothing", "label_smoothing"],
    ["labelSmoothing", "label_smoothing"],
    ["lossType", "loss_type"],
    ["learing_rate", "learning_rate"],
    ["beat", "beta"],
    ["gradient_acumulation_step", "gradient_accumulation_steps"],
  ])("%s: did you mean %s", (key, meant) => {
    expect(fromTrl({ [key]: 1 }).warnings).toStrictEqual([
      `${key}: not a key of DPOConfig; ignored. Did you mean ${meant}?`,
    ]);
  });

  it("are called unknown, those of other trainers by the trainer's name", () => {
    const unknown = ["gamma_beta_ratio", "constructor", "toString", "hidden", ""];
    for (const key of unknown)
      expect(fromTrl({ [key]: 1 }).warnings).toStrictEqual([`${key}: not a key of DPOConfig; ignored`]);
    const asDpo = { trainer: "dpo" } as const;
    expect(fromTrl({ cpo_alpha: 1 }, asDpo)).toStrictEqual({
      ...fromTrl({}),
      warnings: ["cpo_alpha: a key of CPOConfig, not of DPOConfig; ignored"],
    });
    expect(fromTrl({ desirable_weight: 1 }, asDpo).warnings.join()).toMatch(/KTOConfig/);
    expect(warnings(JSON.parse('{ "__proto__": 1 }'))).toBe("__proto__: not a key of DPOConfig; ignored");
  });
});
