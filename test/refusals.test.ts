// What pairLoss refuses: class, code and message of every refusal, and that the caller's arrays stay as they were. Errors
// that are not about the arguments: errors.test.ts.

import { describe, expect, it } from "vitest";
import { DpoError, KindError, ParamError, ShapeError } from "../src/index.ts";
import type { PairLogps, PairLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { missesBits } from "./support/compare.ts";
import { optionRefusals } from "./support/option-refusals.ts";
import { mapPairs, randomPairs } from "./support/pairs.ts";
import { inputRefusals, type Refusal } from "./support/refusals.ts";

const classes = { ShapeError, ParamError, KindError };
const bases = { ShapeError: RangeError, ParamError: RangeError, KindError: TypeError };

const sound = (): PairLogps => ({ ...randomPairs(8, 61), pairWeights: new Float32Array(8).fill(1) });

const results = ["losses", "gradChosen", "gradRejected", "chosenRewards", "rejectedRewards"];
const buffers = (): Record<string, Float32Array> =>
  Object.fromEntries(results.map((name) => [name, new Float32Array(8).fill(7)]));

/** What a call throws; it has to throw. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

async function expectRefused(
  backend: AnyBackend,
  { pairs, instead, options, error, code, message }: Refusal,
): Promise<void> {
  const given = sound();
  const before = mapPairs(given, (array) => array.slice());
  const out = buffers();
  const withOut = typeof options === "object" || options === undefined ? options !== null : false;
  const call = (withOut ? { ...(options as object), out } : options) as PairLossOptions;
  const inputs = (instead ? instead() : { ...given, ...pairs }) as PairLogps;
  const thrown = await thrownBy(async () => backend.pairLoss(inputs, call));
  expect(thrown).toBeInstanceOf(classes[error]);
  expect(thrown).toBeInstanceOf(DpoError);
  expect(thrown).toBeInstanceOf(bases[error]);
  expect(thrown).toMatchObject({ name: error, code, message: expect.stringMatching(message) });
  expect(given).toEqual(before);
  expect(out).toEqual(buffers());
  // The backend is as good as before.
  expect(missesBits(await backend.pairLoss(given), await backend.pairLoss(before))).toEqual([]);
}

onEachBackend((backend) => {
  describe("inputs", () => {
    it.each(inputRefusals)("$what: $error $code", (refusal) => expectRefused(backend, refusal));
  });

  describe("options", () => {
    it.each(optionRefusals)("$what: $error $code", (refusal) => expectRefused(backend, refusal));

    it("that are undefined are absent", async () => {
      const names = [
        "lossType",
        "lossWeights",
        "beta",
        "labelSmoothing",
        "discopopTau",
        "fDivergence",
        "fAlpha",
        "nosuch",
      ];
      const more = ["referenceFree", "rewardShift", "out", "gradScale", "metrics", "validate", "signal", "onProgress"];
      const options = Object.fromEntries([...names, ...more].map((name) => [name, undefined]));
      expect(missesBits(await backend.pairLoss(sound(), options), await backend.pairLoss(sound()))).toEqual([]);
    });

    it("of other calls are accepted where they ask for nothing", async () => {
      const options = { inPlace: false, accumulate: false, gradType: "same" } as PairLossOptions;
      expect(missesBits(await backend.pairLoss(sound(), options), await backend.pairLoss(sound()))).toEqual([]);
    });
  });

  it("inputs that a loss does not need may be left out", async () => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected, chosenLengths } = sound();
    const policies = { policyChosen, policyRejected };
    const references = { referenceChosen, referenceRejected };
    expect(await backend.pairLoss({ ...policies, ...references }, { lossType: "aot" })).toBeDefined();
    expect(await backend.pairLoss(policies, { referenceFree: true })).toBeDefined();
    expect(await backend.pairLoss({ ...policies, chosenLengths }, { lossType: "sft" })).toBeDefined();
  });

  it("non-finite inputs are accepted without validate", async () => {
    const pairs = { ...sound(), policyChosen: new Float32Array(8).fill(Number.NaN) };
    expect((await backend.pairLoss(pairs, { validate: "ids" })).loss).toBeNaN();
  });
});
