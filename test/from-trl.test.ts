// fromTrl: every spelling of TRL's DPOConfig, the meaning of each version, the words of warnings and errors.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createJs } from "../src/backend/js.ts";
import { DpoError, KindError, ParamError } from "../src/errors.ts";
import { elsewhereKeys, formerKeys, type Key, knownKeys, readKeys, silentKeys } from "../src/from-trl/keys.ts";
import { nearest } from "../src/from-trl/nearest.ts";
import { fromTrl, type TrlConfig } from "../src/from-trl.ts";
import { type LossType, losses, lossTypes } from "../src/losses/index.ts";
import { oldNames } from "../src/losses/old-names.ts";
import type { LossOptions, PairLogps } from "../src/types.ts";

const text = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

interface Example {
  readonly id: string;
  readonly config: TrlConfig;
}
const examples: readonly Example[] = JSON.parse(text("./golden/trl-configs.json")).configs;

/** Eight pairs of plausible log-probabilities, the same each time. */
function somePairs(): PairLogps {
  let state = 1;
  const random = (): number => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  const logps = (): Float64Array => Float64Array.from({ length: 8 }, () => -20 * random() - 1);
  const lengths = (): Float64Array => Float64Array.from({ length: 8 }, () => 1 + Math.floor(20 * random()));
  return {
    policyChosen: logps(),
    policyRejected: logps(),
    referenceChosen: logps(),
    referenceRejected: logps(),
    chosenLengths: lengths(),
    rejectedLengths: lengths(),
  };
}

const js = createJs();
const lossOf = (options: LossOptions): number => js.pairLoss(somePairs(), options).loss;
const loss = (config: TrlConfig, version?: string): LossOptions => fromTrl(config, { version }).loss;
const warnings = (config: TrlConfig, version?: string): string => fromTrl(config, { version }).warnings.join("\n");

/** The error of a call, which must be one of ours. */
function refusal(run: () => unknown): DpoError {
  try {
    run();
  } catch (error) {
    if (error instanceof DpoError) return error;
    throw error;
  }
  throw new Error("not refused");
}

describe("configurations of guides", () => {
  it.each(examples)("$id is accepted and runs", ({ config }) => {
    const result = js.pairLoss(somePairs(), fromTrl(config).loss);
    expect(result.loss).toBeTypeOf("number");
    expect(Number.isFinite(result.loss)).toBe(true);
    for (const version of ["0.9.6", "0.12.0", "0.24.0", "0.28.0", "0.29.0", "1.9.0"]) {
      expect(Number.isFinite(lossOf(fromTrl(config, { version }).loss))).toBe(true);
    }
  });

  it("reads robust in all its parts", () => {
    const config = {
      loss_type: "robust",
      beta: 0.01,
      label_smoothing: 0.1,
      per_device_train_batch_size: 16,
      learning_rate: 1e-3,
      max_prompt_length: 128,
      max_length: 512,
    };
    expect(fromTrl(config)).toStrictEqual({
      loss: { lossType: "robust", beta: 0.01, labelSmoothing: 0.1 },
      collate: { maxLength: 512, maxPromptLength: 128 },
      train: { learningRate: 1e-3, batchSize: 16 },
      warnings: [expect.stringMatching(/^max_prompt_length: gone since TRL v0\.29/)],
    });
  });

  it("reads lists with weights", () => {
    expect(fromTrl({ loss_type: ["sigmoid", "ipo"], loss_weights: [0.7, 0.3], beta: 0.1 })).toStrictEqual({
      loss: { lossType: ["sigmoid", "ipo"], lossWeights: [0.7, 0.3], beta: 0.1 },
      collate: {},
      train: {},
      warnings: [],
    });
    expect(loss({ loss_type: ["sigmoid", "bco_pair", "sft"], loss_weights: [0.8, 0.2, 1] })).toStrictEqual({
      lossType: ["sigmoid", "bco_pair", "sft"],
      lossWeights: [0.8, 0.2, 1],
    });
    expect(loss({ loss_type: ["hinge"] })).toStrictEqual({ lossType: "hinge" });
  });

  it.each(["bco_pair", "sppo_hard", "discopop", "apo_zero", "apo_down", "ipo", "hinge", "aot", "aot_unpaired"])(
    "%s keeps what it uses",
    (name) => {
      const found = examples.find(({ id }) => id === name);
      const options = loss(found?.config ?? {});
      expect(options.lossType).toBe(name);
      expect(options.beta).toBe(found?.config["beta"]);
      expect(options.discopopTau).toBe(name === "discopop" ? 0.05 : undefined);
      expect(options.labelSmoothing).toBe(name.startsWith("aot") ? 0 : undefined);
    },
  );

  it("gives an empty answer to an empty question", () => {
    expect(fromTrl({})).toStrictEqual({ loss: {}, collate: {}, train: {}, warnings: [] });
    expect(fromTrl({ beta: null, loss_type: undefined, nonsense: null })).toStrictEqual(fromTrl({}));
  });
});

describe("old names", () => {
  it("reads aot_pair as aot_unpaired and says what both names mean", () => {
    for (const version of [undefined, "0.24.0", "1.9.0"]) {
      const result = fromTrl({ loss_type: "aot_pair", beta: 0.1, label_smoothing: 0 }, { version });
      expect(result.loss).toStrictEqual({ lossType: "aot_unpaired", beta: 0.1, labelSmoothing: 0 });
      expect(result.warnings).toHaveLength(1);
      expect(result.warnings[0]).toMatch(/`aot_pair`.*v0\.28.*`aot_unpaired`.*`aot`/);
    }
    const inList = fromTrl({ loss_type: ["aot_pair", "aot", "aot_pair"] });
    expect(inList.loss.lossType).toStrictEqual(["aot_unpaired", "aot", "aot_unpaired"]);
    expect(inList.warnings).toHaveLength(1);
  });

  it("knows only losses of the table as their meaning", () => {
    for (const { id } of Object.values(oldNames)) expect(lossTypes).toContain(id);
  });

  it.each(Object.entries(formerKeys))("%s is also read from %s", (now, former) => {
    expect(fromTrl({ [former]: 7 })).toStrictEqual({
      ...fromTrl({ [now]: 7 }),
      warnings: expect.arrayContaining([`${former}: read as ${now}, its newer name`]),
    });
    const both = fromTrl({ [former]: 7, [now]: 8 });
    expect({ ...both.collate, ...both.train }).toStrictEqual({
      ...fromTrl({ [now]: 8 }).collate,
      ...fromTrl({ [now]: 8 }).train,
    });
    expect(both.warnings.join("\n")).toContain(`${former}: the old name of ${now}, which is given too and counts`);
  });
});

describe("versions", () => {
  const alpha = { f_divergence_type: "alpha_divergence" };

  it("are numbers with dots", () => {
    for (const version of ["0.24.0", "v0.24", "0.9.6", "0.28.0.dev0", "0.28.0rc1", "0.28"]) {
      expect(loss(alpha, version)).toStrictEqual({ fDivergence: "alpha_divergence", fAlpha: 0 });
    }
    for (const version of ["0.29", "v0.29.0", "1.9.0", "1.12.0", "10.0", "0.100"]) {
      expect(loss(alpha, version)).toStrictEqual({ fDivergence: "alpha_divergence" });
    }
    for (const version of ["", "24", "1.", ".9", "0.24.x", "latest", "v", "1..2", " 0.24.0", "-0.1"]) {
      const error = refusal(() => fromTrl({}, { version }));
      expect(error).toBeInstanceOf(ParamError);
      expect(error.message).toBe(`version: expected a version such as "0.24.0", got ${JSON.stringify(version)}`);
    }
    // @ts-expect-error a number is no version: 0.30 would be 0.3
    expect(refusal(() => fromTrl({}, { version: 0.24 }))).toBeInstanceOf(KindError);
    // @ts-expect-error there is no such option
    expect(refusal(() => fromTrl({}, { verison: "0.24.0" })).code).toBe("unknown-option");
  });

  it("turn α' of the α-divergence into α = 1 − α'", () => {
    expect(loss({ ...alpha, f_alpha_divergence_coef: 2 }, "0.24.0").fAlpha).toBe(-1);
    expect(loss({ ...alpha, f_alpha_divergence_coef: 0.5 }, "0.24.0").fAlpha).toBe(0.5);
    expect(loss({ ...alpha, f_alpha_divergence_coef: 2 }, "1.9.0").fAlpha).toBe(2);
    expect(warnings({ ...alpha, f_alpha_divergence_coef: 2 }, "1.9.0")).toBe("");
    expect(warnings({ ...alpha, f_alpha_divergence_coef: 2 })).toMatch(/up to v0\.28 2 meant what is -1 now/);
    expect(warnings({ ...alpha, f_alpha_divergence_coef: 0 }, "0.24.0")).toMatch(/divides by this 0/);
    expect(loss({ ...alpha, f_alpha_divergence_coef: 0 }, "0.24.0").fAlpha).toBe(1);
  });

  it("give the margins that TRL up to v0.28 computed", () => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = somePairs();
    const ratio = (policy: ArrayLike<number>, reference: ArrayLike<number> | undefined, i: number): number =>
      (policy[i] ?? 0) - (reference?.[i] ?? 0);
    for (const coefficient of [undefined, 0.5, 1, 2, -0.3]) {
      let sum = 0;
      for (let i = 0; i < 8; i++) {
        const a = ratio(policyChosen, referenceChosen, i);
        const c = ratio(policyRejected, referenceRejected, i);
        const old = coefficient ?? 1;
        const margin = (Math.exp(-old * c) - Math.exp(-old * a)) / old;
        sum += Math.max(0, 1 - 0.01 * margin);
      }
      const config = { ...alpha, loss_type: "hinge", beta: 0.01, f_alpha_divergence_coef: coefficient };
      expect(lossOf(loss(config, "0.24.0")) / (sum / 8)).toBeCloseTo(1, 6);
    }
  });

  it("keep α' near 0 near the log-ratio: 1 − α' falls back to it within 1e-6 of 1", () => {
    const plain = lossOf({ beta: 0.1 });
    const near = { ...alpha, beta: 0.1, f_alpha_divergence_coef: 1e-7 };
    expect(lossOf(loss(near, "0.24.0"))).toBe(plain);
    expect(lossOf(loss({ ...near, f_alpha_divergence_coef: 1e-5 }, "0.24.0"))).toBeCloseTo(plain, 3);
  });

  it("read exo_pair with ε 0 as 1e-3 up to v0.28, for the whole list", () => {
    for (const config of [{}, { label_smoothing: 0 }, { label_smoothing: null }]) {
      expect(loss({ loss_type: "exo_pair", ...config }, "0.24.0")).toStrictEqual({
        lossType: "exo_pair",
        labelSmoothing: 1e-3,
      });
      const list = { loss_type: ["sigmoid", "exo_pair", "hinge"], ...config };
      expect(loss(list, "0.28.0").labelSmoothing).toBe(1e-3);
      expect(warnings(list, "0.28.0")).toMatch(/replaces 0 by 1e-3 for exo_pair, for sigmoid too/);
    }
    expect(loss({ loss_type: "exo_pair", label_smoothing: 0.2 }, "0.24.0").labelSmoothing).toBe(0.2);
    const error = refusal(() => fromTrl({ loss_type: "exo_pair", label_smoothing: 0 }));
    expect(error.message).toMatch(/^config\.label_smoothing: expected a number in \(0, 0\.5\) for exo_pair, got 0/);
    expect(fromTrl({ loss_type: ["exo_pair", "sigmoid"] }).loss).toStrictEqual({ lossType: ["exo_pair", "sigmoid"] });
    expect(warnings({ loss_type: "exo_pair" })).toMatch(/^label_smoothing: exo_pair needs it/);
  });

  it("always read sigmoid with label smoothing as cDPO, and say where TRL ignores it", () => {
    for (const version of [undefined, "0.5.0", "0.24.0", "1.9.0"]) {
      expect(loss({ label_smoothing: 0.1 }, version)).toStrictEqual({ labelSmoothing: 0.1 });
    }
    expect(warnings({ label_smoothing: 0.1 })).toMatch(/^label_smoothing: TRL v1\.9\.0 ignores it in sigmoid; .*cDPO/);
    expect(warnings({ label_smoothing: 0.1 }, "0.29.0")).toMatch(/cDPO/);
    expect(warnings({ label_smoothing: 0.1 }, "0.28.0")).toBe("");
    expect(warnings({ label_smoothing: 0.1 }, "0.7.5")).toBe("");
    expect(warnings({ label_smoothing: 0.1 }, "0.7.4")).toMatch(/cDPO/);
    expect(warnings({ label_smoothing: 0 })).toBe("");
    expect(warnings({ loss_type: "robust", label_smoothing: 0.1 })).toBe("");
  });

  it("never make a running mean, and say where it belongs", () => {
    for (const version of ["0.9.3", "0.24.0", "0.28.0"]) {
      const result = fromTrl({ loss_type: ["sigmoid", "bco_pair"] }, { version });
      expect(result.loss).not.toHaveProperty("rewardShift");
      expect(result.warnings.join()).toMatch(/bco_pair in TRL v.*running mean.*rewardShift: createRunningMean\(\)/);
    }
    expect(warnings({ loss_type: "bco_pair" })).toBe("");
    expect(warnings({ loss_type: "bco_pair" }, "0.29.0")).toBe("");
  });

  it("say what was different about ipo", () => {
    expect(warnings({ loss_type: ["sigmoid", "ipo"] }, "0.24.0")).toMatch(/for all losses of the list/);
    expect(warnings({ loss_type: ["sigmoid", "ipo"] }, "0.29.0")).toBe("");
    expect(warnings({ loss_type: "ipo" }, "0.24.0")).toBe("");
    expect(warnings({ loss_type: "ipo" }, "0.7.10")).toMatch(/does not divide by completion length/);
    expect(warnings({ loss_type: "ipo", f_divergence_type: "js_divergence" }, "0.24.0")).toMatch(
      /before the divergence/,
    );
  });

  it("say what was different about sft, WPO and LD-DPO", () => {
    expect(warnings({ loss_type: "sft" }, "0.24.0")).toMatch(/tokens whose id is 0/);
    expect(warnings({ loss_type: "sft" })).toBe("");
    expect(warnings({ use_weighting: true }, "0.24.0")).toMatch(/at most 1/);
    expect(warnings({ ld_alpha: 0.5 }, "0.24.0")).toMatch(/policy alone/);
  });
});

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
    expect(loss({ loss_type: "sft", beta: 0.3 })).toStrictEqual({ lossType: "sft" });
    expect(warnings({ loss_type: "sft", beta: 0.3 })).toBe("beta: sft does not use it; left out");
    expect(warnings({ f_alpha_divergence_coef: 0.7 })).toMatch(/only f_divergence_type: "alpha_divergence" uses it/);
  });

  it("of the divergence go where it has a meaning", () => {
    for (const type of ["sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "discopop"]) {
      const config = { loss_type: [type, "sft"], f_divergence_type: "forward_kl" };
      expect(loss(config)).toStrictEqual({ lossType: [type, "sft"], fDivergence: "forward_kl" });
    }
    for (const type of ["nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "sft"]) {
      expect(loss({ loss_type: type, f_divergence_type: "js_divergence" })).toStrictEqual({ lossType: type });
      expect(warnings({ loss_type: type, f_divergence_type: "js_divergence" })).toMatch(/does not use it.*left out/);
    }
    const mixed = { loss_type: ["sigmoid", "nca_pair"], f_divergence_type: "js_divergence" };
    expect(loss(mixed)).toStrictEqual({ lossType: ["sigmoid", "nca_pair"] });
    expect(warnings(mixed)).toMatch(/nca_pair does not use it \(TRL v0\.29.*in a call of their own/);
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

describe("keys that nothing reads", () => {
  it.each(Object.entries(elsewhereKeys))("%s warns where it is on", (key, { off, says }) => {
    for (const value of off) expect(fromTrl({ [key]: value }).warnings).toStrictEqual([]);
    expect(fromTrl({ [key]: "on" }).warnings).toStrictEqual([`${key}: ${says}`]);
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
    expect(warnings({ cpo_alpha: 1 })).toBe("cpo_alpha: a key of CPOConfig, not of DPOConfig; ignored");
    expect(warnings({ desirable_weight: 1 })).toMatch(/KTOConfig/);
    expect(warnings(JSON.parse('{ "__proto__": 1 }'))).toBe("__proto__: not a key of DPOConfig; ignored");
  });

  it("nearest finds swaps and slips, and no far cry", () => {
    expect(nearest("sigmiod", lossTypes)).toBe("sigmoid");
    expect(nearest("exo-pair", lossTypes)).toBe("exo_pair");
    expect(nearest("cdpo", lossTypes)).toBeUndefined();
    expect(nearest("", lossTypes)).toBeUndefined();
  });
});

describe("refusals", () => {
  it.each<[TrlConfig, string]>([
    [{ beta: "0.1" }, "config.beta: expected a number, got a string"],
    [{ learning_rate: "5e-7" }, "config.learning_rate: expected a number, got a string"],
    [{ loss_type: 3 }, "config.loss_type: expected the name of a loss, or a list of them, got a number"],
    [{ use_weighting: 1 }, "config.use_weighting: expected true or false, got a number"],
    [{ loss_weights: 0.5 }, "config.loss_weights: expected a list of finite numbers, got a number"],
    [{ max_target_length: "9" }, "config.max_target_length: expected a positive integer, got a string"],
    [{ lr_scheduler_kwargs: "{}" }, "config.lr_scheduler_kwargs: expected an object, got a string"],
  ])("%o is of another kind", (config, message) => {
    const error = refusal(() => fromTrl(config));
    expect(error).toBeInstanceOf(KindError);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe(message);
  });

  it.each<[TrlConfig, string]>([
    [{ beta: 0 }, "config.beta: expected a number in (0, ∞) for sigmoid, got 0"],
    [{ beta: Number.NaN }, "config.beta: expected a number, got NaN"],
    [
      { loss_type: "robust", label_smoothing: 0.5 },
      "config.label_smoothing: expected a number in [0, 0.5) for robust, got 0.5",
    ],
    [
      { loss_type: ["sft", "sigmoid"], label_smoothing: 0.6 },
      "config.label_smoothing: expected a number in [0, 0.5] for sigmoid, got 0.6",
    ],
    [
      { loss_type: "discopop", discopop_tau: 0 },
      "config.discopop_tau: expected a number in (0, ∞) for discopop, got 0",
    ],
    [
      { loss_type: ["sigmoid", "ipo"], loss_weights: [1] },
      "config.loss_weights: expected 2 numbers (one per loss), got 1",
    ],
    [{ loss_weights: [Number.NaN] }, "config.loss_weights: expected a list of finite numbers, got [NaN]"],
    [{ loss_type: [] }, "config.loss_type: expected the name of a loss, or a list of them, got []"],
    [{ truncation_mode: "keep_both" }, 'config.truncation_mode: expected "keep_start" or "keep_end", got "keep_both"'],
    [{ max_length: 0 }, "config.max_length: expected a positive integer, got 0"],
    [{ max_length: 1.5 }, "config.max_length: expected a positive integer, got 1.5"],
    [{ padding_value: -1 }, "config.padding_value: expected a token id, got -1"],
  ])("%o is out of range", (config, message) => {
    const error = refusal(() => fromTrl(config));
    expect(error).toBeInstanceOf(ParamError);
    expect(error.code).toBe("out-of-range");
    expect(error.message).toBe(message);
  });

  it("names the divergences and the losses that there are", () => {
    expect(refusal(() => fromTrl({ f_divergence_type: "kl" })).message).toBe(
      'config.f_divergence_type: expected one of reverse_kl, forward_kl, js_divergence, alpha_divergence, got "kl"',
    );
    for (const name of ["nope", "constructor", "simpo", ""]) {
      const error = refusal(() => fromTrl({ loss_type: name }));
      expect(error).toBeInstanceOf(ParamError);
      expect(error.code).toBe("unknown-loss");
      for (const type of lossTypes) expect(error.message).toContain(type);
    }
    expect(refusal(() => fromTrl({ loss_type: ["ipo", "hinges"] })).message).toMatch(
      /^config\.loss_type\[1\]: .*got "hinges"; did you mean "hinge"\?$/,
    );
    const gone = refusal(() => fromTrl({ loss_type: "kto_pair" }));
    expect(gone).toBeInstanceOf(ParamError);
    expect(gone.message).toMatch(/removed.*use KTO/);
  });

  it("wants a plain object", () => {
    for (const value of [null, undefined, [], "beta", 3]) {
      // @ts-expect-error none of these is a configuration
      expect(refusal(() => fromTrl(value))).toBeInstanceOf(KindError);
    }
  });
});

describe("any configuration", () => {
  const text = fc.string({ maxLength: 6 });
  const positive = fc.double({ min: 1e-3, max: 10, noNaN: true });
  const real = fc.double({ min: -10, max: 10, noNaN: true });
  const count = fc.integer({ min: 1, max: 4096 });
  const byKind = {
    number: positive,
    count,
    integer: fc.integer(),
    id: fc.nat(),
    flag: fc.boolean(),
    text,
    divergence: fc.constantFrom("reverse_kl", "forward_kl", "js_divergence", "FDivergenceType.ALPHA_DIVERGENCE"),
    truncation: fc.constantFrom("keep_start", "keep_end"),
    object: fc.dictionary(text, fc.integer()),
  };
  const special: Partial<Record<Key, fc.Arbitrary<unknown>>> = {
    label_smoothing: fc.double({ min: 1e-6, max: 0.49, noNaN: true }),
    f_alpha_divergence_coef: real,
    rpo_alpha: real,
    ld_alpha: fc.double({ min: 0, max: 1, noNaN: true }),
  };
  const names = fc.array(fc.constantFrom(...lossTypes, ...Object.keys(oldNames)), { minLength: 1, maxLength: 4 });
  const chosen = names.chain((list) =>
    fc.record(
      {
        loss_type: fc.constantFrom<unknown>(list, ...(list.length === 1 ? list : [])),
        loss_weights: fc.array(real, { minLength: list.length, maxLength: list.length }),
      },
      { requiredKeys: ["loss_type"] },
    ),
  );
  const valueFor = (key: Key): fc.Arbitrary<unknown> => {
    const kind = readKeys[key];
    const value = special[key] ?? (kind === "names" || kind === "numbers" ? fc.constant(null) : byKind[kind]);
    return fc.oneof({ weight: 4, arbitrary: value }, fc.constant(null));
  };
  const keys = Object.keys(readKeys).filter((key): key is Key => key in readKeys && !/^loss_/.test(key));
  const others = fc.dictionary(fc.constantFrom(...silentKeys, ...Object.keys(elsewhereKeys)), fc.anything());
  const read = fc.record(Object.fromEntries(keys.map((key) => [key, valueFor(key)])), { requiredKeys: [] });
  const config = fc.tuple(fc.option(chosen), read, others).map(([a, b, c]): TrlConfig => ({ ...c, ...b, ...a }));
  const version = fc.constantFrom(undefined, "0.7.5", "0.9.6", "0.12.0", "0.24.0", "0.28", "0.29.0", "1.9.0");

  /** Options and the losses of a list that use them, from the table of losses alone. */
  const usedBy = (name: string, type: LossType): boolean => {
    if (name === "lossType" || name === "lossWeights") return true;
    const isMargin = "margin" in losses[type] && !("sorted" in losses[type]);
    if (name === "fDivergence" || name === "fAlpha") return isMargin;
    return (
      Object.hasOwn(losses[type].params, name) || (/^(ldAlpha|weighting|referenceFree)$/.test(name) && type !== "sft")
    );
  };

  it("that is valid is read, holds only what the losses use, and runs", () => {
    fc.assert(
      fc.property(config, version, (given, at) => {
        const { loss, warnings } = fromTrl(given, { version: at });
        const types = [loss.lossType ?? "sigmoid"].flat().filter((type): type is LossType => typeof type === "string");
        for (const [name, value] of Object.entries(loss)) {
          expect(value).toBeDefined();
          expect(types.some((type) => usedBy(name, type))).toBe(true);
        }
        for (const warning of warnings) expect(warning).toMatch(/^[a-z_0-9]+: .{10}/);
        expect(new Set(warnings).size).toBe(warnings.length);
        const { ldAlpha, weighting, ...forPairs } = loss;
        expect(typeof lossOf(forPairs)).toBe("number");
      }),
      { numRuns: 500 },
    );
  });

  it("is left as it is, and read the same way again", () => {
    const freeze = (value: unknown): void => {
      if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return;
      Object.values(Object.freeze(value)).forEach(freeze);
    };
    fc.assert(
      fc.property(config, version, (given, at) => {
        for (const value of Object.values(given)) if (Array.isArray(value)) freeze(value);
        Object.freeze(given);
        const before = { ...given };
        const once = fromTrl(given, { version: at });
        expect(given).toStrictEqual(before);
        expect(fromTrl(given, { version: at })).toStrictEqual(once);
      }),
    );
  });

  it("never fails but with an error of this package", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...knownKeys), fc.anything()), version, (given, at) => {
        try {
          fromTrl(given, { version: at });
        } catch (error) {
          expect(error).toBeInstanceOf(DpoError);
        }
      }),
    );
  });
});

describe("docs/from-trl.md", () => {
  const page = text("../docs/from-trl.md");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| |\s*\|$/g, "")));
  const codes = (cell: string | undefined): string[] =>
    [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? "");

  it("lists the keys that fromTrl knows, each once", () => {
    const listed = rows.flatMap(([keys]) => codes(keys));
    expect([...listed].sort()).toStrictEqual([...knownKeys].sort());
  });

  it("says what becomes of each", () => {
    const samples: Record<string, unknown> = {
      loss_type: "discopop",
      loss_weights: [2],
      label_smoothing: 0.1,
      f_divergence_type: "js_divergence",
      truncation_mode: "keep_end",
      use_weighting: true,
      reference_free: true,
      optim: "adamw_torch",
      optim_args: "",
      lr_scheduler_type: "cosine",
      lr_scheduler_kwargs: {},
      dataloader_drop_last: true,
    };
    const company: Record<string, TrlConfig> = {
      discopop_tau: { loss_type: "discopop" },
      f_alpha_divergence_coef: { f_divergence_type: "alpha_divergence" },
    };
    const readable = [...Object.keys(readKeys), ...Object.values(formerKeys)];
    for (const [keys, becomes] of rows) {
      for (const key of codes(keys).filter((code) => readable.includes(code) && code !== "rpo_alpha")) {
        const value = key in samples ? samples[key] : /length|size|steps|seed|multiple|padding/.test(key) ? 3 : 0.25;
        const { loss, collate, train } = fromTrl({ ...company[key], [key]: value });
        const name = codes(becomes)[0]?.replace(/:.*/, "") ?? "";
        expect({ key, [name]: true }).toStrictEqual({ key, [name]: name in { ...loss, ...collate, ...train } });
      }
    }
  });

  it("shows an example that is true", () => {
    const example = /fromTrl\((\{[^}]+\})\)/.exec(page)?.[1] ?? "";
    const config = JSON.parse(example.replace(/(\w+):/g, '"$1":').replace(/,\s*\}/, "}"));
    const { loss, collate, train, warnings } = fromTrl(config);
    const shown = (name: string): string => new RegExp(`^// ${name} +(.*)$`, "m").exec(page)?.[1] ?? "";
    const asText = (value: object): string =>
      JSON.stringify(value)
        .replace(/"(\w+)":/g, "$1: ")
        .replaceAll(",", ", ");
    const spaced = (value: object): string => asText(value).replace(/^\{/, "{ ").replace(/\}$/, " }");
    expect([loss, collate, train].map(spaced)).toStrictEqual(["loss", "collate", "train"].map(shown));
    expect(warnings).toHaveLength(1);
    expect(shown("warnings")).toContain(warnings[0]?.slice(0, 60));
  });
});

describe("golden numbers of TRL v0.24.0", () => {
  interface Case {
    readonly id: string;
    readonly batch: string;
    readonly loss_types: readonly string[];
    readonly hyper: TrlConfig;
    readonly f64: { readonly loss: number | string; readonly grad_chosen: readonly (number | string)[] };
  }
  interface Golden {
    readonly batches: Readonly<Record<string, Readonly<Record<string, readonly (number | string)[]>>>>;
    readonly logps_cases: readonly Case[];
  }
  const golden: Golden = JSON.parse(text("./golden/legacy.json"));

  it.each(golden.logps_cases)("$id: $loss_types $hyper", ({ batch, loss_types, hyper, f64 }) => {
    const logps = (name: string): Float64Array => Float64Array.from(golden.batches[batch]?.[name] ?? [], Number);
    const ones = logps("policy_chosen_logps").fill(1); // v0.24 takes averages for ipo: the lengths are in the numbers
    const { loss } = fromTrl({ loss_type: loss_types, ...hyper }, { version: "0.24.0" });
    const result = js.pairLoss(
      {
        policyChosen: logps("policy_chosen_logps"),
        policyRejected: logps("policy_rejected_logps"),
        referenceChosen: logps("ref_chosen_logps"),
        referenceRejected: logps("ref_rejected_logps"),
        chosenLengths: ones,
        rejectedLengths: ones,
      },
      loss,
    );
    const expected = Number(f64.loss);
    expect(Math.abs(result.loss - expected)).toBeLessThan(1e-6 * Math.max(1, Math.abs(expected)));
    const gradients = f64.grad_chosen.map(Number);
    const largest = Math.max(...gradients.map(Math.abs));
    gradients.forEach((gradient, i) => {
      expect(Math.abs((result.gradChosen[i] ?? Number.NaN) - gradient)).toBeLessThan(1e-5 * largest);
    });
  });
});
