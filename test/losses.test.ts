// The table of losses: hyperparameters, their defaults and ranges as documented, what each of them does.

import { describe, expect, it } from "vitest";
import { type LossType, lossTypes, ParamError } from "../src/index.ts";
import type { PairLogps, PairLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { missesBits } from "./support/compare.ts";
import { nextDown, nextUp } from "./support/float64.ts";
import { randomPairs, withValue } from "./support/pairs.ts";
import {
  divergences,
  isLikelihood,
  isNormalised,
  isSorted,
  otherValue,
  pairTypes,
  table,
  takesDivergence,
} from "./support/variants.ts";

// docs/losses.md, "Hyperparameters": name, default, range, by loss. An open end at infinity excludes infinity itself.
const beta = { default: 0.1, least: Number.MIN_VALUE, most: Number.MAX_VALUE };
const labelSmoothing = { default: 0, least: 0, most: 0.5 };
const weight = { default: 1, least: 0, most: Number.MAX_VALUE };
const simpoGamma = { default: 0.5, least: -Number.MAX_VALUE, most: Number.MAX_VALUE };
const alphapoAlpha = { default: 0, least: -Number.MAX_VALUE, most: Number.MAX_VALUE };
const documented: Record<LossType, Record<string, { default: number; least: number; most: number }>> = {
  sigmoid: { beta, labelSmoothing },
  sigmoid_norm: { beta },
  hinge: { beta },
  ipo: { beta },
  exo_pair: { beta, labelSmoothing: { default: 1e-3, least: Number.MIN_VALUE, most: nextDown(0.5) } },
  nca_pair: { beta },
  robust: { beta, labelSmoothing: { default: 0, least: 0, most: nextDown(0.5) } },
  bco_pair: { beta, rewardShift: { default: 0, least: -Number.MAX_VALUE, most: Number.MAX_VALUE } },
  sppo_hard: { beta },
  aot: { beta, labelSmoothing },
  aot_unpaired: { beta, labelSmoothing },
  apo_zero: { beta },
  apo_down: { beta },
  discopop: { beta, discopopTau: { default: 0.05, least: Number.MIN_VALUE, most: Number.MAX_VALUE } },
  dpop: { beta, dpopLambda: { default: 50, least: 0, most: Number.MAX_VALUE } },
  rpo_sq: { beta },
  rpo_bwd_kl: { beta },
  rpo_fwd_kl: { beta },
  cpo_sigmoid: { beta, labelSmoothing, alphapoAlpha },
  cpo_hinge: { beta, alphapoAlpha },
  cpo_ipo: { beta, alphapoAlpha },
  simpo: { beta, simpoGamma, labelSmoothing, alphapoAlpha },
  orpo: { beta },
  sft: {},
  kto: { beta, desirableWeight: weight, undesirableWeight: weight },
  apo_zero_unpaired: { beta, desirableWeight: weight, undesirableWeight: weight },
  bco: { beta, rewardShift: { default: 0, least: -Number.MAX_VALUE, most: Number.MAX_VALUE } },
};
const rows = pairTypes.flatMap((id) =>
  Object.entries(documented[id]).map(([name, range]) => ({ id, name, ...range, param: table[id].params[name] })),
);

/** A value for each shared hyperparameter that no loss has as its default. β scales the rewards of every loss. */
const unusual: Record<string, number> = {
  labelSmoothing: 0.25,
  discopopTau: 0.5,
  rewardShift: 0.5,
  desirableWeight: 2,
  undesirableWeight: 0.5,
  simpoGamma: 1,
  alphapoAlpha: 0.25,
  dpopLambda: 2,
};
const unused = pairTypes.flatMap((lossType) =>
  Object.entries(unusual).flatMap(([name, value]) => (name in documented[lossType] ? [] : [{ lossType, name, value }])),
);
const byDefault: Record<string, number> = {
  labelSmoothing: 0,
  discopopTau: 0.05,
  rewardShift: 0,
  desirableWeight: 1,
  undesirableWeight: 1,
  simpoGamma: 0.5,
  alphapoAlpha: 0,
  dpopLambda: 50,
};

const pairs = randomPairs(9, 3);

async function expectOther(
  backend: AnyBackend,
  one: PairLossOptions,
  other: PairLossOptions,
  inputs: PairLogps = pairs,
): Promise<void> {
  const [first, second] = [await backend.pairLoss(pairs, one), await backend.pairLoss(inputs, other)];
  expect(second.loss).not.toBeCloseTo(first.loss, 6);
  expect(Array.from(second.gradChosen)).not.toEqual(Array.from(first.gradChosen));
}

describe("the table of losses", () => {
  it("has the hyperparameters that are documented, with their defaults", () => {
    for (const id of lossTypes) {
      // k of KTO is the batch's.
      const params = Object.entries(table[id].params).filter(([name]) => name !== "kl");
      const defaults = params.map(([name, param]) => [name, param.default]);
      const expected = Object.entries(documented[id]).map(([name, param]) => [name, param.default]);
      expect({ id, defaults }).toEqual({ id, defaults: expected });
    }
  });

  it("says of each loss what it is", () => {
    for (const id of pairTypes) {
      expect({ id, own: table[id].id }).toEqual({ id, own: id });
      expect(table[id].title.length).toBeGreaterThan(10);
    }
  });
});

onEachBackend((backend) => {
  const call = (options: PairLossOptions) => async () => backend.pairLoss(pairs, options);

  describe("hyperparameters", () => {
    it.each(rows)("$name of $id is $default unless given", async ({ id: lossType, name, default: value }) => {
      const given = await backend.pairLoss(pairs, { lossType, [name]: value });
      expect(missesBits(await backend.pairLoss(pairs, { lossType }), given)).toEqual([]);
    });

    it.each(rows)("$name of $id changes loss and gradients", async ({ id: lossType, name, param }) => {
      expect(param).toBeDefined();
      if (param) await expectOther(backend, { lossType }, { lossType, [name]: otherValue(param) });
    });

    it.each(rows)("$name of $id is accepted from $least to $most", async ({ id: lossType, name, least, most }) => {
      for (const value of [least, most]) expect(await call({ lossType, [name]: value })()).toBeDefined();
    });

    it.each(rows)("$name of $id is refused just outside its range", async ({ id: lossType, name, least, most }) => {
      for (const value of [nextDown(least), nextUp(most), -Infinity, Infinity, Number.NaN]) {
        const refusal = { code: "out-of-range", message: expect.stringMatching(`${name}: expected a number in `) };
        await expect(call({ lossType, [name]: value }), `${value}`).rejects.toThrow(expect.objectContaining(refusal));
      }
    });

    it.each(unused)(
      "$name $value is refused with $lossType, which does not use it",
      async ({ lossType, name, value }) => {
        const act = call({ lossType, [name]: value });
        await expect(act).rejects.toThrow(ParamError);
        const message = expect.stringMatching(`${name}: not used by ${lossType} \\(used by `);
        await expect(act).rejects.toThrow(expect.objectContaining({ code: "unused-option", message }));
      },
    );

    it.each(unused)("$name at its default is accepted with $lossType", async ({ lossType, name }) => {
      const given = await backend.pairLoss(pairs, { lossType, [name]: byDefault[name] });
      expect(missesBits(given, await backend.pairLoss(pairs, { lossType }))).toEqual([]);
    });
  });

  describe("the reference", () => {
    it.each(pairTypes.filter((id) => table[id].reference))(
      "counts as 0 under referenceFree in %s",
      async (lossType) => {
        await expectOther(backend, { lossType }, { lossType, referenceFree: true });
      },
    );

    it.each(lossTypes.filter((id) => !table[id].reference))(
      "has no say in %s, and is refused to be free",
      async (lossType) => {
        const message = expect.stringMatching(new RegExp(`^referenceFree: not used by ${lossType}`));
        const refusal = expect.objectContaining({ code: "unused-option", message });
        await expect(call({ lossType, referenceFree: true })).rejects.toThrow(refusal);
        const moved = withValue(pairs, "referenceChosen", 2, 5);
        const { losses, gradChosen } = await backend.pairLoss(pairs, { lossType });
        const got = await backend.pairLoss(moved, { lossType });
        expect([got.losses, got.gradChosen]).toEqual([losses, gradChosen]);
      },
    );
  });

  describe("f-divergences", () => {
    const takers = pairTypes.filter((id) => takesDivergence(table[id]));

    it("are taken by the losses of a score difference", () => {
      const known = ["sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop"];
      expect([...takers].sort()).toEqual(known.sort());
    });

    it.each(takers)("change %s, each in its own way", async (lossType) => {
      const losses: number[] = [];
      for (const options of divergences) losses.push((await backend.pairLoss(pairs, { lossType, ...options })).loss);
      const plain = (await backend.pairLoss(pairs, { lossType })).loss;
      // The last two fall back to the log-ratio: α within 1e-6 of 1. The forward KL is the α-divergence of α 0.
      expect(losses.slice(-2)).toEqual([plain, plain]);
      expect(losses[0]).toBe(losses[divergences.findIndex(({ fAlpha }) => fAlpha === 0)]);
      expect(new Set([...losses, plain]).size).toBe(losses.length - 2);
    });

    it("have α 0.5 unless it is given", async () => {
      const options = { lossType: "sigmoid", fDivergence: "alpha_divergence" } as const;
      const given = await backend.pairLoss(pairs, { ...options, fAlpha: 0.5 });
      expect(missesBits(await backend.pairLoss(pairs, options), given)).toEqual([]);
    });
  });

  describe("lengths", () => {
    const longer = withValue(pairs, "chosenLengths", 2, 77);
    const dividing = pairTypes.filter((id) => isNormalised(table[id]) || isLikelihood(table[id]));
    const summing = pairTypes.filter((id) => !dividing.includes(id));

    it("divide in ipo, sigmoid_norm, those of log-probs per token and sft", () => {
      expect([...dividing]).toEqual(["sigmoid_norm", "ipo", "cpo_ipo", "simpo", "orpo", "sft"]);
    });

    it.each(dividing)("change %s", (lossType) => expectOther(backend, { lossType }, { lossType }, longer));

    it.each(summing)("are accepted by %s and change nothing", async (lossType) => {
      const [got, want] = [await backend.pairLoss(longer, { lossType }), await backend.pairLoss(pairs, { lossType })];
      expect(missesBits(got, want)).toEqual([]);
    });
  });

  it("pairWeights change every loss but the sorted ones", async () => {
    const pairWeights = Float32Array.from(pairs.policyChosen, (_, i) => i);
    for (const lossType of pairTypes.filter((id) => !isSorted(table[id]))) {
      await expectOther(backend, { lossType }, { lossType }, { ...pairs, pairWeights });
    }
  });
});
