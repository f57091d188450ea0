// "Did you mean": a hint names what was meant, or there is none; what is printed of the user's text is harmless.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { collateSynonyms } from "../src/checks/collate-synonyms.ts";
import { didYouMean, meantBy } from "../src/checks/hints.ts";
import { lossSynonyms } from "../src/checks/loss-synonyms.ts";
import { printable, quoted } from "../src/checks/printable.ts";
import { trainingSynonyms } from "../src/checks/training-synonyms.ts";
import { fromTrl } from "../src/from-trl/from-trl.ts";
import { knownKeys } from "../src/from-trl/keys.ts";
import { createJs, DpoError, type LossOptions } from "../src/index.ts";
import { lossTypes } from "../src/losses/index.ts";
import { refusal, somePairs } from "./support/from-trl.ts";

const js = createJs();
const synonyms = [...lossSynonyms, ...collateSynonyms, ...trainingSynonyms];
const message = (run: () => unknown): string => refusal(run).message;
const hinted = (text: string): string[] => {
  const [, names = ""] = /did you mean (.*)\?/i.exec(text) ?? [];
  return names === "" ? [] : names.split(" or ").map((name) => name.replaceAll('"', ""));
};

// Name -> what was meant; nothing where no loss of the table was.
const lossNames: Record<string, string[]> = {
  dpo: ["sigmoid"],
  DPO: ["sigmoid"],
  DPOLoss: ["sigmoid"],
  cdpo: ["sigmoid"],
  dpo_norm: ["sigmoid_norm"],
  slic: ["hinge"],
  RSOLoss: ["hinge"],
  IPO: ["ipo"],
  exo: ["exo_pair"],
  "exo-pair": ["exo_pair"],
  nca: ["nca_pair"],
  sppo: ["sppo_hard"],
  aot_paired: ["aot"],
  aotUnpaired: ["aot_unpaired"],
  aot_unpair: ["aot_unpaired"],
  apo: ["apo_zero", "apo_down"],
  sigmiod: ["sigmoid"],
  sigmod: ["sigmoid"],
  hinges: ["hinge"],
  nll: ["sft"],
  ...Object.fromEntries(
    "cpo mpo rpo ppo spo npo gpo tdpo wpo ld_dpo tr_dpo rdpo aco_pair kco_pair eco_pair sco_pair apo_up ape"
      .split(" ")
      .map((name) => [name, []]),
  ),
};

describe.each(Object.entries(lossNames))("the loss %s", (name, meant) => {
  it("in a configuration of TRL", () => {
    for (const loss_type of [name, ["hinge", name]]) {
      const error = refusal(() => fromTrl({ loss_type }));
      expect(error.code).toBe("unknown-loss");
      expect(hinted(error.message)).toStrictEqual(meant);
    }
  });

  it("in a call", () => {
    const error = refusal(() => js.pairLoss(somePairs(), { lossType: name }));
    expect(error.code).toBe("unknown-loss");
    expect(hinted(error.message)).toStrictEqual(meant);
  });
});

it.each(["kto", "bco"])("the loss %s, of rows, is no loss of pairs", (name) => {
  const calls = [() => fromTrl({ loss_type: ["hinge", name] }), () => js.pairLoss(somePairs(), { lossType: name })];
  for (const call of calls) expect(refusal(call).message).toMatch(/rows|not of DPO$/);
});

it("losses that are a list, an option or another trainer's say so", () => {
  expect(message(() => fromTrl({ loss_type: "mpo" }))).toMatch(
    /\["sigmoid", "bco_pair", "sft"\], weighted \[0.8, 0.2, 1\]$/,
  );
  expect(message(() => fromTrl({ loss_type: "RPO" }))).toMatch(/\["sigmoid", "sft"\], weighted \[1, α\]$/);
  expect(message(() => fromTrl({ loss_type: "kto_pair" }))).toMatch(/use KTO$/);
  expect(message(() => js.pairLoss(somePairs(), { lossType: "alphapo" }))).toMatch(/an option of simpo/);
});

describe("divergences", () => {
  it.each([
    ["kl", ["reverse_kl"]],
    ["KL", ["reverse_kl"]],
    ["forward", ["forward_kl"]],
    ["ForwardKL", ["forward_kl"]],
    ["jsd", ["js_divergence"]],
    ["jensen_shannon", ["js_divergence"]],
    ["js_divergance", ["js_divergence"]],
    ["alpha", ["alpha_divergence"]],
    ["alpha-divergence", ["alpha_divergence"]],
    ["beta_divergence", []],
    ["chi", []],
    ["ks", []],
  ])("%s", (name, meant) => {
    expect(hinted(message(() => fromTrl({ f_divergence_type: name })))).toStrictEqual(meant);
    const options = { fDivergence: name } as unknown as LossOptions;
    expect(hinted(message(() => js.pairLoss(somePairs(), options)))).toStrictEqual(meant);
  });
});

describe("keys of a configuration", () => {
  const tools: Record<string, string[]> = {
    // LLaMA-Factory
    ...{ pref_beta: ["beta"], pref_loss: ["loss_type"], pref_ftx: ["rpo_alpha"], cutoff_len: ["max_length"] },
    ...{ dpo_label_smoothing: ["label_smoothing"] },
    // axolotl
    ...{ rl: ["loss_type"], rl_beta: ["beta"], dpo_use_weighting: ["use_weighting"], sequence_len: ["max_length"] },
    ...{ micro_batch_size: ["per_device_train_batch_size"], num_epochs: ["num_train_epochs"], optimizer: ["optim"] },
    ...{ lr_scheduler: ["lr_scheduler_type"], dpo_use_liger_kernel: ["use_liger_kernel"] },
    // XTuner, open-instruct, verl
    ...{ dpo_loss_type: ["loss_type"], loss_beta: ["beta"], dpo_beta: ["beta"] },
    // NeMo
    ...{ ref_policy_kl_penalty: ["beta"], reference_policy_kl_penalty: ["beta"], preference_loss: ["loss_type"] },
    ...{ preference_loss_weight: ["loss_weights"], sft_loss_weight: ["rpo_alpha"] },
    // PyTorch, torchtune, AutoTrain, OpenRLHF, Lightning
    ...{
      lr: ["learning_rate"],
      betas: ["adam_beta1", "adam_beta2"],
      eps: ["adam_epsilon"],
      epochs: ["num_train_epochs"],
    },
    ...{ max_len: ["max_length"], gradient_clip_val: ["max_grad_norm"], nll_loss_coef: ["rpo_alpha"] },
    ...{ accumulate_grad_batches: ["gradient_accumulation_steps"] },
    // This package's own names
    ...{ lossType: ["loss_type"], fDivergence: ["f_divergence_type"], fAlpha: ["f_alpha_divergence_coef"] },
    ...{ weighting: ["use_weighting"], padTokenId: ["padding_value"], ldAlpha: ["ld_alpha"] },
    // Slips
    ...{ learning_raet: ["learning_rate"], lable_smothing: ["label_smoothing"], maxlenght: ["max_length"] },
    ...{ loss_types: ["loss_type"], max_step: ["max_steps"], Beta: ["beta"], "loss-weights": ["loss_weights"] },
  };
  it.each(Object.entries(tools))("%s", (key, meant) => {
    expect(fromTrl({ [key]: 1 }).warnings).toStrictEqual([
      `${key}: not a key of DPOConfig; ignored. Did you mean ${meant.join(" or ")}?`,
    ]);
  });

  it.each(
    "use_gpu useGPU usegpu adam_beta3 adam_beta0 tau gamma delta epsilom zeta beth theta rho fp17 bf17 tf33 lora_alpha max_new_tokens".split(
      " ",
    ),
  )("%s has no hint", (key) => {
    expect(fromTrl({ [key]: 1 }).warnings).toStrictEqual([`${key}: not a key of DPOConfig; ignored`]);
  });

  it("of per-token averages name the losses that have them", () => {
    for (const key of ["dpo_norm_loss", "preference_average_log_probs"]) {
      expect(fromTrl({ [key]: true }).warnings).toStrictEqual([
        expect.stringMatching(new RegExp(`^${key}: not a key of DPOConfig; ignored: .*"sigmoid_norm"`)),
      ]);
    }
  });

  it("are read in time that grows as they do", { timeout: 60_000 }, () => {
    // Every warning compared with every other would be 5·10^9 comparisons: minutes, not half a second.
    const config = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`loss_type_${i}`, 1]));
    expect(fromTrl(config).warnings).toHaveLength(100_000);
  });
});

describe("meantBy", () => {
  it("is one of the names given, or nothing", () => {
    const word = fc.oneof(fc.string({ maxLength: 80 }), fc.constantFrom(...knownKeys, ...lossTypes));
    const names = fc.constantFrom(knownKeys, lossTypes);
    fc.assert(
      fc.property(word, names, (text, known) => {
        const meant = meantBy(text, known, synonyms);
        expect(meant.every((name) => known.includes(name))).toBe(true);
        if (known.includes(text)) expect(meant).toStrictEqual([text]);
      }),
      { numRuns: 500 },
    );
  });

  it("never takes a short name for another", () => {
    const short = [...knownKeys, ...lossTypes].filter((name) => name.length <= 4);
    expect(short.length).toBeGreaterThan(4);
    for (const name of short) {
      for (let at = 0; at < name.length; at++) {
        for (const letter of "abcdefghijklmnopqrstuvwxyz") {
          const other = name.slice(0, at) + letter + name.slice(at + 1);
          const known = [name];
          if (other !== name && !["bata", "bta"].includes(other))
            expect(meantBy(other, known, synonyms)).toStrictEqual([]);
        }
      }
    }
  });

  it("takes no name for its opposite", () => {
    for (const [word, opposite] of [
      ["aot_paired", "aot_unpaired"],
      ["unpaired", "paired"],
      ["policyRejected", "policyChosen"],
      ["keep_end", "keep_start"],
      ["forward_kl", "reverse_kl"],
      ["use_gpu", "use_cpu"],
      ["adam_beta1", "adam_beta2"],
      ["gradA", "gradB"],
    ] as const) {
      expect(meantBy(word, [opposite], synonyms)).toStrictEqual([]);
    }
  });

  it("gives plurals, other cases and slips of arrays' names", () => {
    const names = ["policyChosen", "pairWeights", "lengths", "bias", "weight", "gradHidden", "tokenLogps", "logits"];
    for (const [word, meant] of [
      ["pairWeight", "pairWeights"],
      ["lenghts", "lengths"],
      ["length", "lengths"],
      ["biases", "bias"],
      ["weights", "weight"],
      ["policy_chosen", "policyChosen"],
      ["gradhiden", "gradHidden"],
      ["tokenlogps", "tokenLogps"],
      ["logit", "logits"],
    ] as const) {
      expect(meantBy(word, names, synonyms)).toStrictEqual([meant]);
    }
    expect(didYouMean("lenghts", names, { synonyms })).toBe("; did you mean lengths?");
    expect(didYouMean("width", names, { synonyms })).toBe("");
  });
});

describe("what is printed of the user's text", () => {
  const nasty =
    "\u001b[31mred\u001b[0m\r\nline\u0007\u0000\u0085\u009b2J\u202ertl\u2066x\u2069\u200b\ufeff\u2028\u2029\ud800\u{e0041}";
  // By other classes than the code's own.
  const harmful = /[\p{Cc}\p{Bidi_Control}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\p{Cs}]/u;

  it("has no control characters and is bounded", () => {
    for (const text of [nasty, nasty.repeat(1000), "a".repeat(1e6), "\u{1f600}".repeat(1e5), "\u001b[".repeat(1e5)]) {
      expect(printable(text)).not.toMatch(harmful);
      expect(Array.from(printable(text)).length).toBeLessThanOrEqual(60);
    }
    expect(printable("label_smoothing")).toBe("label_smoothing");
    expect(printable("größe 寸法 😀")).toBe("größe 寸法 😀");
    expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
  });

  const long = nasty.repeat(10_000);
  it.each<[string, () => unknown]>([
    ["a key", () => fromTrl({ [long]: 1 }).warnings],
    ["two keys", () => fromTrl({ [`beta${nasty}`]: 1, [`${nasty}beta`]: 1 }).warnings],
    ["a loss", () => fromTrl({ loss_type: long })],
    ["a loss of many", () => fromTrl({ loss_type: ["sigmoid", long] })],
    ["a divergence", () => fromTrl({ f_divergence_type: long })],
    ["a truncation", () => fromTrl({ truncation_mode: long })],
    ["a list", () => fromTrl({ loss_weights: new Array(1e5).fill(Number.NaN) })],
    ["a version", () => fromTrl({}, { version: long })],
    ["a version that is one", () => fromTrl({ loss_type: "exo_pair" }, { version: `1.${"0".repeat(1e5)}` }).warnings],
    ["an option", () => fromTrl({}, { [long]: 1 })],
    ["a loss in a call", () => js.pairLoss(somePairs(), { lossType: long })],
    ["a divergence in a call", () => js.pairLoss(somePairs(), { fDivergence: long } as unknown as LossOptions)],
  ])("%s", (_what, run) => {
    let texts: string[];
    try {
      texts = run() as string[];
    } catch (error) {
      if (!(error instanceof DpoError)) throw error;
      texts = [error.message];
    }
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) {
      expect(text).not.toMatch(harmful);
      expect(text.length).toBeLessThan(600);
    }
  });
});
