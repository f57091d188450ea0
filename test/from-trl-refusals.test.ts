// fromTrl: the words of its errors.

import { describe, expect, it } from "vitest";
import { KindError, ParamError } from "../src/errors.ts";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { lossTypes } from "../src/losses/index.ts";
import { refusal } from "./support/from-trl.ts";

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
      'config.f_divergence_type: expected one of reverse_kl, forward_kl, js_divergence, alpha_divergence, got "kl"; did you mean "reverse_kl"?',
    );
    for (const name of ["nope", "constructor", "cpo", ""]) {
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
