// fromTrl: what an option meant in each version of TRL.

import { describe, expect, it } from "vitest";
import { KindError, ParamError } from "../src/errors.ts";
import { fromTrl, type TrlConfig } from "../src/from-trl/from-trl.ts";
import { js, loss, lossOf, refusal, somePairs, warnings } from "./support/from-trl.ts";

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

  it("drop the constants of scores up to v1.9, where losses per token feel it", () => {
    const old = ["0.9.6", "0.24.0", "0.28.0", "0.29.0", "1.9.0", "1.9.2", "v1.9"];
    const now = [undefined, "1.10", "1.10.0", "1.12.0", "1.16.0", "2.0"];
    const divergences: TrlConfig[] = [
      { f_divergence_type: "js_divergence" },
      { f_divergence_type: "forward_kl" },
      alpha,
    ];
    for (const config of divergences) {
      for (const loss_type of ["ipo", ["sigmoid", "ipo"], ["ipo", "sft"]]) {
        for (const version of old) {
          if (config === divergences[1] && version.startsWith("0.")) continue;
          expect(loss({ loss_type, ...config }, version)).toMatchObject({ fConstants: false });
        }
        for (const version of now) expect(loss({ loss_type, ...config }, version)).not.toHaveProperty("fConstants");
      }
      expect(loss({ loss_type: "sigmoid_norm", ...config }, "1.9.0")).toMatchObject({ fConstants: false });
      for (const version of [...old, ...now]) {
        expect(loss({ loss_type: "sigmoid", ...config }, version)).not.toHaveProperty("fConstants");
        expect(loss({ loss_type: "ipo" }, version)).not.toHaveProperty("fConstants");
      }
    }
    // The constants are k·(1/n − 1/m) in the margin: log 2 here.
    const { chosenLengths, rejectedLengths, ...logps } = somePairs();
    const lengths = { chosenLengths: Float64Array.of(4), rejectedLengths: Float64Array.of(1) };
    const one = Object.fromEntries(
      Object.entries(logps).map(([name, array]) => [name, (array as Float64Array).slice(0, 1)]),
    );
    const config = { loss_type: "ipo", beta: 0.1, f_divergence_type: "js_divergence" };
    const marginAt = (version: string): number =>
      5 +
      Math.sqrt(js.pairLoss({ ...(one as unknown as typeof logps), ...lengths }, loss(config, version)).loss) * sign;
    const sign = -1;
    expect(marginAt("1.16.0") - marginAt("1.9.2")).toBeCloseTo(Math.log(2) * (1 / 4 - 1), 5);
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
    expect(warnings({ label_smoothing: 0.1 })).toMatch(/^label_smoothing: TRL v1\.16\.0 ignores it in sigmoid; .*cDPO/);
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
