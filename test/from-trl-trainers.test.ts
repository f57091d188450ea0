// fromTrl over the configurations of TRL's other trainers: CPO with SimPO and AlphaPO, ORPO, KTO, BCO.

import { describe, expect, it } from "vitest";
import { ParamError } from "../src/errors.ts";
import { type FromTrlOptions, fromTrl, type Trainer, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { knownKeys, ownersOf } from "../src/from-trl/keys.ts";
import { trainerLosses } from "../src/from-trl/trainers.ts";
import { lossTypes } from "../src/losses/index.ts";
import { js, refusal, somePairs } from "./support/from-trl.ts";

const read = (config: TrlConfig, trainer?: Trainer, more: FromTrlOptions = {}) => fromTrl(config, { trainer, ...more });
const saysOf = (config: TrlConfig, trainer?: Trainer, more?: FromTrlOptions): string =>
  read(config, trainer, more).warnings.join("\n");

describe("losses", () => {
  it.each<[Trainer, TrlConfig, object]>([
    ["cpo", {}, { lossType: "cpo_sigmoid", cpoAlpha: 1 }],
    [
      "cpo",
      { loss_type: "sigmoid", label_smoothing: 0.1 },
      { lossType: "cpo_sigmoid", labelSmoothing: 0.1, cpoAlpha: 1 },
    ],
    ["cpo", { loss_type: "hinge", cpo_alpha: 0.5 }, { lossType: "cpo_hinge", cpoAlpha: 0.5 }],
    ["cpo", { loss_type: ["ipo"], cpo_alpha: 0, beta: 0.2 }, { lossType: "cpo_ipo", beta: 0.2 }],
    [
      "cpo",
      { loss_type: "simpo", beta: 2, simpo_gamma: 1 },
      { lossType: "simpo", beta: 2, simpoGamma: 1, cpoAlpha: 1 },
    ],
    ["cpo", { loss_type: "simpo", cpo_alpha: 0, alpha: -0.5 }, { lossType: "simpo", alphapoAlpha: -0.5 }],
    ["cpo", { loss_type: "alphapo", alpha: 0.25 }, { lossType: "simpo", alphapoAlpha: 0.25 }],
    ["cpo", { loss_type: "alphapo", cpo_alpha: 1 }, { lossType: "simpo" }],
    ["cpo", { loss_type: "cpo_hinge", cpo_alpha: 0 }, { lossType: "cpo_hinge" }],
    ["orpo", {}, { lossType: "orpo" }],
    ["orpo", { beta: 0.25 }, { lossType: "orpo", beta: 0.25 }],
    ["kto", {}, { lossType: "kto" }],
    [
      "kto",
      { desirable_weight: 2, undesirable_weight: 0 },
      { lossType: "kto", desirableWeight: 2, undesirableWeight: 0 },
    ],
    ["kto", { loss_type: "apo_zero_unpaired", beta: 0.3 }, { lossType: "apo_zero_unpaired", beta: 0.3 }],
    ["bco", { beta: 0.2 }, { lossType: "bco", beta: 0.2 }],
  ])("%s: %j", (trainer, config, loss) => {
    expect(read(config, trainer).loss).toStrictEqual(loss);
  });

  it("are all in the table, and all that only other trainers have are named by one", () => {
    for (const losses of Object.values(trainerLosses)) {
      for (const id of Object.values(losses)) expect(lossTypes).toContain(id);
    }
  });

  it("run", () => {
    const { policyChosen, policyRejected, chosenLengths, rejectedLengths } = somePairs();
    const pairs = { policyChosen, policyRejected, chosenLengths, rejectedLengths };
    for (const loss_type of ["sigmoid", "hinge", "ipo", "simpo", "alphapo"]) {
      const { loss } = read({ loss_type, cpo_alpha: 0, alpha: 0.25 }, "cpo");
      expect(js.pairLoss(pairs, loss).loss).toBeTypeOf("number");
    }
    expect(js.pairLoss(pairs, read({ beta: 0.2 }, "orpo").loss).loss).toBeTypeOf("number");
    const policy = policyChosen as Float64Array;
    const rows = { policy, reference: policyRejected as Float64Array, desirable: policy.map((_, i) => i % 2) };
    for (const [config, trainer] of [
      [{ loss_type: "kto" }, "kto"],
      [{ loss_type: "apo_zero_unpaired" }, "kto"],
      [{}, "bco"],
    ] as const) {
      const kl = "loss_type" in config && config.loss_type === "kto" ? { klPolicy: policy, klReference: policy } : {};
      const desirable = Uint8Array.from(rows.desirable);
      expect(js.unpairedLoss({ ...rows, desirable, ...kl }, read(config, trainer).loss).loss).toBeTypeOf("number");
    }
  });
});

describe("a configuration without a trainer", () => {
  it.each<[TrlConfig, string, string]>([
    [{ cpo_alpha: 0 }, "cpo_sigmoid", "cpo_alpha: read as CPOConfig"],
    [{ simpo_gamma: 1, loss_type: "simpo" }, "simpo", "simpo_gamma: read as CPOConfig"],
    [{ loss_type: "ipo", alpha: 0.5 }, "cpo_ipo", "alpha: read as CPOConfig"],
    [{ loss_type: "simpo" }, "simpo", "loss_type: read as CPOConfig"],
    [{ loss_type: ["alphapo"] }, "simpo", "loss_type: read as CPOConfig"],
    [{ loss_type: "orpo" }, "orpo", "loss_type: read as ORPOConfig"],
    [{ desirable_weight: 1 }, "kto", "desirable_weight: read as KTOConfig"],
    [{ loss_type: "kto" }, "kto", "loss_type: read as KTOConfig"],
    [{ loss_type: "apo_zero_unpaired" }, "apo_zero_unpaired", "loss_type: read as KTOConfig"],
    [{ min_density_ratio: 0.5 }, "bco", "min_density_ratio: read as BCOConfig"],
    [{ loss_type: "bco" }, "bco", "loss_type: read as BCOConfig"],
    // TRL v0.9.3 – v0.9.6 had BCO in its KTOTrainer.
    [{ loss_type: "kto", prompt_sample_size: 64 }, "kto", "loss_type: read as KTOConfig"],
  ])("%j is that of the trainer that alone has its key or loss", (config, id, warning) => {
    const { loss, warnings } = fromTrl(config);
    expect(loss.lossType).toBe(id);
    expect(warnings[0]).toBe(`${warning}, which alone has it; { trainer } names another`);
  });

  it.each<[TrlConfig, string | undefined]>([
    [{}, undefined],
    [{ beta: 0.2, label_smoothing: 0.1 }, undefined],
    [{ loss_type: "ipo" }, "ipo"],
    [{ loss_type: "robust", cpo_alpha: 1 }, "robust"],
    [{ loss_type: "sigmoid", desirable_weight: 1 }, "sigmoid"],
    [{ cpo_alpha: null, loss_type: "hinge" }, "hinge"],
  ])("%j is DPO's", (config, id) => {
    const { loss, warnings } = fromTrl(config);
    expect(loss.lossType).toBe(id);
    expect(warnings.join()).not.toContain("read as");
  });

  it("is never quietly another tool's", () => {
    const says = (config: TrlConfig): string => fromTrl(config).warnings.join("\n");
    expect(says({ pref_loss: "simpo" })).toContain(
      'LLaMA-Factory\'s way to say loss_type: "simpo" with { trainer: "cpo" }',
    );
    expect(says({ pref_loss: "orpo" })).toContain('LLaMA-Factory\'s way to say { trainer: "orpo" }');
    expect(says({ pref_loss: "hinge" })).toContain('LLaMA-Factory\'s way to say loss_type: "hinge"');
    expect(says({ pref_loss: "other" })).toContain("LLaMA-Factory's name for loss_type");
    expect(says({ stage: "kto" })).toContain('LLaMA-Factory\'s way to say loss_type: "kto" with { trainer: "kto" }');
    expect(says({ stage: "sft" })).toBe("stage: not a key of DPOConfig; ignored");
    expect(says({ rl: "dpo" })).toContain('axolotl\'s way to say loss_type: "sigmoid"');
    expect(says({ rl: "kto", rl_beta: 0.1 })).toContain('loss_type: "kto" with { trainer: "kto" }');
    expect(says({ rl: "grpo" })).toBe("rl: not a key of DPOConfig; ignored. Did you mean loss_type?");
    expect(says({ orpo_alpha: 0.1 })).toContain("beta of ORPOConfig");
    expect(says({ kto_desirable_weight: 0.1 })).toContain("desirable_weight of KTOConfig");
  });
});

describe("warnings", () => {
  it("of TRL's defaults that surprise", () => {
    expect(saysOf({}, "cpo")).toMatch(/^cpo_alpha: TRL's default 1 adds the likelihood of the chosen: written out$/m);
    expect(saysOf({ loss_type: "simpo" }, "cpo")).toMatch(/^cpo_alpha: TRL's default 1 .*simpo too.*: written out$/m);
    expect(saysOf({ loss_type: "simpo" }, "cpo")).toMatch(
      /^beta: TRL's default is 0\.1; the SimPO paper takes 2 to 2\.5$/m,
    );
    expect(saysOf({ cpo_alpha: 1 }, "cpo")).toMatch(/^cpo_alpha: for calls that see tokens; pairLoss refuses it$/m);
    expect(saysOf({ loss_type: "alphapo" }, "cpo")).toMatch(/^alpha: with TRL's default 0, alphapo is simpo$/m);
    expect(saysOf({ loss_type: "alphapo", cpo_alpha: 1 }, "cpo")).toMatch(/^cpo_alpha: alphapo sets it to 0$/m);
    expect(saysOf({ loss_type: "simpo", cpo_alpha: 0, beta: 2 }, "cpo")).toBe("");
    expect(saysOf({}, "bco")).toContain("rewardShift: createRunningMean()");
    expect(saysOf({}, "orpo")).toBe("");
    expect(saysOf({}, "kto")).toBe("");
    expect(saysOf({ per_device_train_batch_size: 1 }, "kto")).toMatch(/^per_device_train_batch_size: kto needs 2/m);
    expect(saysOf({ loss_type: "apo_zero_unpaired", per_device_train_batch_size: 1 }, "kto")).toBe("");
  });

  it("of options that the loss does not use, and of keys that the trainer has not", () => {
    expect(
      saysOf({ loss_type: "hinge", cpo_alpha: 0, label_smoothing: 0.1, simpo_gamma: 1 }, "cpo").split("\n"),
    ).toEqual([
      "label_smoothing: cpo_hinge does not use it; left out",
      "simpo_gamma: cpo_hinge does not use it; left out",
    ]);
    for (const key of knownKeys) {
      const owners = ownersOf(key);
      for (const trainer of ["dpo", "cpo", "orpo", "kto", "bco"] as const) {
        const warning = new RegExp(`^${key}: a key of .*, not of ${trainer.toUpperCase()}Config; ignored$`, "m");
        if (owners.includes(trainer)) continue;
        const { loss, warnings } = read({ [key]: "x" }, trainer);
        expect(warnings.join("\n")).toMatch(warning);
        expect(loss).toStrictEqual(read({}, trainer).loss);
      }
    }
  });

  it.each<[number, number, TrlConfig, RegExp | undefined]>([
    [100, 100, { desirable_weight: 3 }, undefined],
    [300, 100, {}, /^desirable_weight: .* is 3\.00 times .*: here desirable_weight from 0\.333 to 0\.443$/m],
    [100, 300, {}, /is 0\.333 times .* from 3\.00 to 3\.99$/m],
    [300, 100, { undesirable_weight: 3 }, undefined],
    [300, 100, { undesirable_weight: 2.3 }, undefined],
    [300, 100, { desirable_weight: 0.4 }, undefined],
    [300, 100, { desirable_weight: 0.5 }, /is 1\.50 times/],
    [300, 0, {}, undefined],
  ])(
    "of KTO's weights, given %i desirable and %i undesirable rows and %j",
    (desirable, undesirable, config, warning) => {
      const says = saysOf(config, "kto", { counts: { desirable, undesirable } });
      if (warning) expect(says).toMatch(warning);
      else expect(says).toBe("");
    },
  );

  it("of versions that had other defaults", () => {
    expect(saysOf({ alpha: 0.5, cpo_alpha: 0 }, "cpo", { version: "0.15.0" })).toMatch(
      /^alpha: TRL v0\.15\.0 has none/m,
    );
    for (const config of [{ loss_type: "ipo" }, { loss_type: "ipo", cpo_alpha: 0 }]) {
      const { loss } = read(config, "cpo", { version: "0.9.4" });
      expect(loss).toStrictEqual({ lossType: "cpo_ipo", cpoAlpha: 1 });
    }
    expect(saysOf({}, "bco", { version: "0.16.0" })).toContain("counts each batch once");
  });

  it("of how sequences are cut", () => {
    const { collate, warnings } = read({ max_length: 64, max_prompt_length: 32 }, "kto");
    expect(collate).toStrictEqual({ maxLength: 64, maxPromptLength: 32, truncationMode: "keep_end" });
    expect(warnings).toStrictEqual([
      "max_length: KTOConfig's trainer before v1.3 cut the prompt first, or the start: read as keep_end",
    ]);
  });

  it.each([
    ["kto", "1.2.0", "1.3.0"],
    ["cpo", "1.14.0", "1.15.0"],
    ["orpo", "1.14.0", "1.15.0"],
  ] as const)("of %s up to v%s, where it cut the prompt first; since v%s it keeps the start", (trainer, old, since) => {
    const before = read({ max_length: 64 }, trainer, { version: old });
    expect(before.collate).toStrictEqual({ maxLength: 64, truncationMode: "keep_end" });
    expect(before.warnings.join()).toContain("cut the prompt first");
    for (const options of [{ version: since }, {}]) {
      const { collate, warnings } = read({ max_length: 64 }, trainer, options);
      expect(collate).toStrictEqual({ maxLength: 64 });
      expect(warnings.join()).not.toContain("max_length");
    }
  });
});

describe("refusals", () => {
  it.each<[TrlConfig, FromTrlOptions, string]>([
    [
      { loss_type: "robust" },
      { trainer: "cpo" },
      'config.loss_type: expected one of sigmoid, hinge, ipo, simpo, alphapo (CPOConfig), got "robust"',
    ],
    [
      { loss_type: ["sigmoid", "ipo"] },
      { trainer: "cpo" },
      "config.loss_type: expected one of sigmoid, hinge, ipo, simpo, alphapo (CPOConfig), got several",
    ],
    [
      { loss_type: "sigmoid" },
      { trainer: "kto" },
      'config.loss_type: expected one of kto, apo_zero_unpaired (KTOConfig), got "sigmoid"',
    ],
    [{ beta: 0 }, { trainer: "orpo" }, "config.beta: expected a number in (0, ∞) for orpo, got 0"],
    [{ cpo_alpha: -1 }, { trainer: "cpo" }, "config.cpo_alpha: expected a number in [0, ∞), got -1"],
    [
      { desirable_weight: -1 },
      { trainer: "kto" },
      "config.desirable_weight: expected a number in [0, ∞) for kto, got -1",
    ],
    [{}, { trainer: "dpoo" as "dpo" }, 'trainer: expected one of dpo, cpo, orpo, kto, bco, got "dpoo"'],
    [{}, { counts: { desirable: -1, undesirable: 1 } }, "counts.desirable: expected a number of rows, got -1"],
  ])("%j under %j", (config, options, message) => {
    const error = refusal(() => fromTrl(config, options));
    expect(error).toBeInstanceOf(ParamError);
    expect(error.message).toBe(message);
  });

  it("values of another kind", () => {
    for (const options of [{ trainer: 3 }, { counts: 3 }, { counts: { desirable: "1" } }, { coach: "cpo" }]) {
      expect(() => refusal(() => fromTrl({}, options as FromTrlOptions))).not.toThrow();
    }
    expect(refusal(() => fromTrl({ cpo_alpha: "1" }, { trainer: "cpo" })).message).toBe(
      "config.cpo_alpha: expected a number, got a string",
    );
  });
});
