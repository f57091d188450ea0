// The command line over a TRL configuration: what is given prevails key by key, losses and weights as one.

import { describe, expect, it } from "vitest";
import { readConfig } from "../src/cli/config.ts";
import { planLosses } from "../src/plan/plan.ts";
import type { LossOptions } from "../src/types.ts";
import { lines, loss, pair, run, write } from "./cli-run.ts";

const read = (config: object | string, given: LossOptions = {}, version?: string) => {
  const path = write("config.json", typeof config === "string" ? config : JSON.stringify(config));
  return readConfig(path, version, given);
};
const terms = async (config: object, given: LossOptions, version?: string): Promise<string> => {
  const { options } = await read(config, given, version);
  const plan = planLosses(options);
  return plan.terms.map(({ loss, weight }) => `${weight} ${loss.id}`).join(" + ");
};

const mixture = { loss_type: ["sigmoid", "hinge"], loss_weights: [0.7, 0.3] };
const rpo = { beta: 0.1, rpo_alpha: 2 };

describe("losses and weights", () => {
  it.each<[object, LossOptions, string]>([
    [rpo, {}, "1 sigmoid + 2 sft"],
    [rpo, { lossType: ["ipo"] }, "1 ipo"],
    [rpo, { lossType: ["ipo", "sft"], lossWeights: [0.5, 0.25] }, "0.5 ipo + 0.25 sft"],
    [rpo, { lossWeights: [3] }, "3 sigmoid + 2 sft"],
    [rpo, { lossWeights: [3, 4] }, "3 sigmoid + 4 sft"],
    [{ ...rpo, ...mixture }, { lossType: ["ipo"] }, "1 ipo"],
    [{ ...rpo, ...mixture }, { lossWeights: [1, 2] }, "1 sigmoid + 2 hinge + 2 sft"],
    [mixture, {}, "0.7 sigmoid + 0.3 hinge"],
    [mixture, { lossType: ["ipo"] }, "1 ipo"],
    [mixture, { lossType: ["ipo", "sft"] }, "1 ipo + 1 sft"],
    [mixture, { lossWeights: [1, 2] }, "1 sigmoid + 2 hinge"],
    [{ ...mixture, loss_weights: [1] }, { lossWeights: [1, 2] }, "1 sigmoid + 2 hinge"],
    [{ loss_type: "nonsense" }, { lossType: ["ipo"] }, "1 ipo"],
    [{ loss_type: null, loss_weights: null, rpo_alpha: null }, { lossWeights: [2] }, "2 sigmoid"],
  ])("%j under %j: %s", async (config, given, expected) => {
    expect(await terms(config, given)).toBe(expected);
  });

  it("that are replaced are mentioned", async () => {
    const { warnings } = await read({ ...mixture, ...rpo }, { lossType: ["ipo"] });
    expect(warnings).toEqual([
      "loss_weights: left out, with the losses that --loss-type replaces",
      "rpo_alpha: left out, with the losses that --loss-type replaces",
    ]);
    expect((await read({ beta: 0.2 }, { lossType: ["ipo"] })).warnings).toEqual([]);
  });
});

describe("other options", () => {
  const alpha = { f_divergence_type: "alpha_divergence", f_alpha_divergence_coef: 0.3 };
  it.each<[object, LossOptions, LossOptions]>([
    [{ beta: "x" }, { beta: 0.3 }, { beta: 0.3 }],
    [{ beta: -1, label_smoothing: 0.1 }, { beta: 0.3 }, { beta: 0.3, labelSmoothing: 0.1 }],
    [{ beta: null }, {}, {}],
    [alpha, {}, { fDivergence: "alpha_divergence", fAlpha: 0.3 }],
    [alpha, { fDivergence: "js_divergence" }, { fDivergence: "js_divergence" }],
    [alpha, { fDivergence: "alpha_divergence" }, { fDivergence: "alpha_divergence", fAlpha: 0.3 }],
    [alpha, { fAlpha: 0.7 }, { fDivergence: "alpha_divergence", fAlpha: 0.7 }],
    [{ reference_free: "no" }, { referenceFree: true }, { referenceFree: true }],
    [{ loss_type: "discopop", discopop_tau: 0.1 }, { discopopTau: 0.2 }, { lossType: "discopop", discopopTau: 0.2 }],
    [{ label_smoothing: 0.1 }, { lossType: ["ipo"] }, { lossType: "ipo" }],
  ])("%j under %j", async (config, given, expected) => {
    expect((await read(config, given)).options).toEqual(expected);
  });

  it("keep the meaning of the version that is named, but for what is given", async () => {
    const { options } = await read(
      { f_divergence_type: "alpha_divergence", f_alpha_divergence_coef: 0.3 },
      { fAlpha: 0.4 },
      "0.24.0",
    );
    expect(options.fAlpha).toBe(0.4);
  });
});

describe("configurations of other trainers", () => {
  const cpo = { loss_type: "simpo", beta: 2, simpo_gamma: 1, cpo_alpha: 0.5 };
  it("give the losses of pairs what it takes; the likelihood, which is of tokens, is left out and mentioned", async () => {
    const { options, warnings } = await read(cpo);
    expect(options).toEqual({ lossType: "simpo", beta: 2, simpoGamma: 1 });
    expect(warnings).toContain("cpo_alpha: left out, since the likelihood is of tokens, which no file here has");
    expect(await terms(cpo, {})).toBe("1 simpo");
  });

  it.each<[object, LossOptions, string]>([
    [cpo, { lossType: ["ipo"] }, "1 ipo"],
    [cpo, { lossType: ["cpo_ipo"] }, "1 cpo_ipo"],
    [{ cpo_alpha: 0, loss_type: "hinge" }, {}, "1 cpo_hinge"],
    [{ cpo_alpha: 0 }, { lossType: ["sigmoid"] }, "1 sigmoid"],
    [{ beta: 0.1 }, { lossType: ["simpo"] }, "1 simpo"],
  ])("%j under %j: %s, losses of the command line being those of the table", async (config, given, expected) => {
    expect(await terms(config, given)).toBe(expected);
  });

  it("are read with what the command line gives over them", async () => {
    const { options } = await read(cpo, { lossType: ["simpo"], simpoGamma: 3 });
    expect(options).toEqual({ lossType: "simpo", beta: 2, simpoGamma: 3 });
    expect((await read({ desirable_weight: 2 }, { lossType: ["kto"] })).options).toEqual({
      lossType: "kto",
      desirableWeight: 2,
    });
  });
});

describe("files", () => {
  it.each(["\ufeff", "\r\n\n  "])("may begin with %j", async (start) => {
    expect((await read(`${start}{\r\n"beta": 0.3}\r\n`)).options).toEqual({ beta: 0.3 });
  });

  it("may hold NaN, text that looks like it, and what nobody reads", async () => {
    const { options } = await read('{"run_name": "loss: NaN", "extra": {"x": [NaN, -Infinity]}, "beta": 0.3}');
    expect(options).toEqual({ beta: 0.3 });
  });

  it.each([
    ["[1]", ": expected an object, got an array"],
    ["null", ": expected an object, got null"],
    ["NaN", ": expected an object, got NaN"],
    ['"beta"', ": expected an object, got a string"],
    ["", ":1:1: not JSON: the text ends too early"],
    ['{\n  "beta": 0.1,\n}', ":3:1: not JSON: expected a key in double quotes"],
    ['{\n  "beta": "x"}', ":2:3: beta: expected a number, got a string"],
    ['{\n  "beta": NaN}', ":2:3: beta: expected a number, got NaN"],
    [
      '{"loss_type": "ipo",\n\n "loss_weights": [1, 2]}',
      ":3:2: loss_weights: expected 1 numbers (one per loss), got 2",
    ],
    ['{"loss_type": ["ipo", "nonsense"]}', ":1:2: loss_type[1]: expected one of "],
    ["{}\n\xff", ":2:1: not UTF-8"],
  ])("%j is refused", async (text, problem) => {
    const path = write("refused.json", Buffer.from(text, "latin1"));
    await expect(readConfig(path, undefined, {})).rejects.toThrow(`${path}${problem}`);
  });

  it("are not blamed for what the command line gives", async () => {
    const path = write("config.json", JSON.stringify(mixture));
    await expect(readConfig(path, undefined, { lossWeights: [1] })).rejects.toThrow(
      /^--loss-weights: expected 2 numbers/,
    );
    await expect(readConfig(path, undefined, { lossType: ["nonsense" as "ipo"] })).rejects.toThrow(
      /^--loss-type\[0\]: /,
    );
    const { stderr } = run(["loss", "-", "--config", path, "--beta", "-1"], { input: lines(pair) });
    expect(stderr).toMatch(/^error: --beta: expected a number in \(0, ∞\)/);
    const got = loss(["-", "--config", path, "--loss-type", "hinge"], { input: lines(pair) });
    expect(got.losses).toEqual([{ id: "hinge", weight: 1 }]);
  });
});
