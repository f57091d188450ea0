// fromTrl: the configurations of guides, every old name of a loss, and TRL's own numbers.

import { describe, expect, it } from "vitest";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { formerKeys } from "../src/from-trl/keys.ts";
import { lossTypes } from "../src/losses/index.ts";
import { oldNames } from "../src/losses/old-names.ts";
import { examples, js, loss, lossOf, somePairs, text } from "./support/from-trl.ts";

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
