// What unpairedLoss, and the calls on tokens that are rows, refuse, on every backend: what, expected, got; nothing is written then.

import { describe, expect, it } from "vitest";
import { createRunningMean, DpoError } from "../src/index.ts";
import { onEachBackend } from "./support/backends.ts";
import { randomLogits } from "./support/logits.ts";
import { asRows, randomRows } from "./support/rows.ts";

type Fields = Record<string, unknown>;
type Refusal = [what: string, given: Fields, options: Fields, code: string, message: RegExp];

const rows = randomRows(4, 81);
const shared = new Float32Array(8);

const refusals: Refusal[] = [
  ["no labels", { desirable: undefined }, {}, "wrong-kind", /^desirable: expected a Uint8Array.*, got undefined$/],
  [
    "labels of 2",
    { desirable: Uint8Array.of(0, 1, 2, 1) },
    {},
    "out-of-range",
    /^desirable\[2\]: expected 0 or 1, got 2$/,
  ],
  [
    "labels that are numbers",
    { desirable: [1, 0, 1, 0] },
    {},
    "wrong-kind",
    /^desirable\[0\]: expected true or false, got a number$/,
  ],
  [
    "a label that is missing",
    { desirable: [true, undefined, true, true] },
    {},
    "wrong-kind",
    /^desirable\[1\]: expected true or false, got undefined$/,
  ],
  ["labels in float32", { desirable: new Float32Array(4) }, {}, "wrong-kind", /^desirable: expected a Uint8Array/],
  ["too few labels", { desirable: [true] }, {}, "wrong-length", /^desirable: expected 4 values \(rows\), got 1$/],
  [
    "no policy",
    { policy: undefined },
    {},
    "wrong-kind",
    /^policy: expected a Float32Array or Float64Array, got undefined$/,
  ],
  [
    "no rows",
    { policy: new Float32Array(0), reference: undefined, desirable: [] },
    {},
    "wrong-length",
    /^policy: expected at least one row, got 0$/,
  ],
  ["no reference", { reference: undefined }, {}, "missing-input", /^reference: expected with kto, got nothing$/],
  [
    "a shorter reference",
    { reference: new Float32Array(3) },
    {},
    "wrong-length",
    /^reference: expected 4 values \(rows\), got 3$/,
  ],
  [
    "no mismatched rows",
    { klPolicy: undefined, klReference: undefined },
    {},
    "missing-input",
    /^klPolicy: expected with kto, got nothing$/,
  ],
  [
    "half of the mismatched rows",
    { klReference: undefined },
    {},
    "missing-input",
    /^klReference: expected with kto, got nothing$/,
  ],
  [
    "half of them, unused",
    { klPolicy: undefined },
    { lossType: "bco" },
    "missing-input",
    /^klPolicy: expected with klReference, got nothing$/,
  ],
  [
    "mismatched rows of two numbers",
    { klReference: new Float32Array(7) },
    {},
    "wrong-length",
    /^klReference: expected 4 values \(mismatched rows\), got 7$/,
  ],
  [
    "no mismatched row",
    { klPolicy: new Float32Array(0), klReference: new Float32Array(0) },
    {},
    "wrong-length",
    /^klPolicy: expected at least one mismatched row, got 0$/,
  ],
  [
    "mismatched rows of another kind",
    { klPolicy: [1, 2] },
    {},
    "wrong-kind",
    /^klPolicy: expected a Float32Array or Float64Array, got /,
  ],
  [
    "a negative length",
    { lengths: Int32Array.of(1, -2, 3, 4) },
    {},
    "out-of-range",
    /^lengths\[1\]: expected tokens ≥ 0, got -2$/,
  ],
  [
    "a density ratio of KTO",
    { densityRatio: new Float32Array(4) },
    {},
    "unused-option",
    /^densityRatio: not used by kto/,
  ],
  [
    "a density ratio of a mixture",
    { densityRatio: new Float32Array(4) },
    { lossType: ["bco", "kto"] },
    "unused-option",
    /^densityRatio: not used by kto/,
  ],
  [
    "an unknown input",
    { policyChosen: rows.policy },
    {},
    "unknown-option",
    /^rows\.policyChosen: not an input of unpairedLoss; known: policy, reference, desirable/,
  ],
  [
    "a loss of pairs",
    {},
    { lossType: "sigmoid" },
    "unknown-loss",
    /^lossType: expected one of kto, apo_zero_unpaired, bco, got "sigmoid": it is a loss of pairs/,
  ],
  [
    "a loss of pairs beside one of rows",
    {},
    { lossType: ["kto", "sft"] },
    "unknown-loss",
    /got "sft": it is a loss of pairs/,
  ],
  [
    "an option of tokens",
    {},
    { ldAlpha: 0.5 },
    "unused-option",
    /^ldAlpha: not used by unpairedLoss, which sees no tokens$/,
  ],
  ["no reference as an option", {}, { referenceFree: true }, "unused-option", /^referenceFree: not used by kto/],
  [
    "an f-divergence",
    {},
    { fDivergence: "forward_kl" },
    "unused-option",
    /^fDivergence: forward_kl has no meaning for kto/,
  ],
  [
    "a running mean of KTO",
    {},
    { rewardShift: 0.5 },
    "unused-option",
    /^rewardShift: not used by kto \(used by bco_pair, bco\)$/,
  ],
  [
    "weights of BCO",
    {},
    { lossType: "bco", desirableWeight: 2 },
    "unused-option",
    /^desirableWeight: not used by bco \(used by kto, apo_zero_unpaired\)$/,
  ],
  [
    "a negative weight",
    {},
    { undesirableWeight: -1 },
    "out-of-range",
    /^undesirableWeight: expected a number in \[0, ∞\) \(kto\), got -1$/,
  ],
  ["k as an option", {}, { kl: 1 }, "unknown-option", /^kl: not an option/],
  [
    "a NaN, where finite is asked for",
    { klPolicy: Float32Array.of(1, 2, Number.NaN, 4) },
    { validate: "finite" },
    "not-finite",
    /^klPolicy\[2\]: expected a finite number, got NaN$/,
  ],
  [
    "an infinite weight, likewise",
    { rowWeights: Float32Array.of(1, Infinity, 1, 1) },
    { validate: "finite" },
    "not-finite",
    /^rowWeights\[1\]: /,
  ],
  [
    "an unknown result",
    {},
    { out: { gradChosen: new Float32Array(4) } },
    "unknown-option",
    /^out\.gradChosen: not a result; known: losses, grad, rewards/,
  ],
  [
    "a result of another length",
    {},
    { out: { grad: new Float32Array(5) } },
    "wrong-length",
    /^out\.grad: expected 4 values, got 5$/,
  ],
  [
    "a result of another kind",
    {},
    { out: { losses: new Float64Array(4) } },
    "wrong-kind",
    /^out\.losses: expected a Float32Array, got a Float64Array$/,
  ],
  [
    "a result over part of an input",
    { klPolicy: shared.subarray(0, 4) },
    { out: { grad: shared.subarray(2, 6) } },
    "overlap",
    /^out\.grad: expected all of klPolicy or none of it, got a part$/,
  ],
  [
    "two results in one place",
    {},
    { out: { losses: shared.subarray(0, 4), grad: shared.subarray(0, 4) } },
    "overlap",
    /^out\.grad: expected memory of its own/,
  ],
  [
    "a result over the labels",
    { desirable: new Uint8Array(shared.buffer, 4, 4) },
    { out: { grad: shared.subarray(0, 4) } },
    "overlap",
    /^out\.grad: expected all of desirable or none of it/,
  ],
];

const { tokens, vocab, logits, reference } = asRows(randomLogits({ pairs: 2, length: 5, vocab: 7, seed: 82 }));
const desirable = Uint8Array.of(1, 0, 0, 1);
const kl = { policy: Float64Array.of(-3, -2), reference: Float64Array.of(-4, -4) };
const batch: Fields = { tokens, vocab, logits, reference, desirable, kl };
const { rows: _, ...own } = tokens as unknown as Fields;
const ofPairs = { ...own, pairs: 2 };

const ofTokens: Refusal[] = [
  ["no labels", { desirable: undefined }, {}, "missing-input", /^desirable: expected with tokens\.rows, got nothing$/],
  [
    "labels of 3",
    { desirable: Uint8Array.of(0, 3, 0, 1) },
    {},
    "out-of-range",
    /^desirable\[1\]: expected 0 or 1, got 3$/,
  ],
  [
    "labels of another kind",
    { desirable: "1001" },
    {},
    "wrong-kind",
    /^desirable: expected a Uint8Array or a list of booleans, got a string$/,
  ],
  [
    "too many labels",
    { desirable: new Uint8Array(5) },
    {},
    "wrong-length",
    /^desirable: expected 4 values \(rows\), got 5$/,
  ],
  ["no mismatched rows", { kl: undefined }, {}, "missing-input", /^kl\.policy: expected with kto, got nothing$/],
  [
    "half of them",
    { kl: { policy: kl.policy } },
    {},
    "missing-input",
    /^kl\.reference: expected with kto, got nothing$/,
  ],
  [
    "an unknown part of them",
    { kl: { ...kl, logps: kl.policy } },
    {},
    "unknown-option",
    /^kl\.logps: not a part of kl; known: policy, reference/,
  ],
  [
    "mismatched rows that are no object",
    { kl: 3 },
    {},
    "wrong-kind",
    /^batch\.kl: expected \{ policy, reference \}, got a number$/,
  ],
  [
    "labels of pairs",
    { tokens: ofPairs, kl: undefined },
    { lossType: "sigmoid" },
    "unused-option",
    /^batch\.desirable: not used with tokens\.pairs; expected tokens\.rows/,
  ],
  [
    "mismatched rows of pairs",
    { tokens: ofPairs, desirable: undefined },
    { lossType: "sigmoid" },
    "unused-option",
    /^batch\.kl: not used with tokens\.pairs/,
  ],
  [
    "a loss of pairs",
    {},
    { lossType: "ipo" },
    "unknown-loss",
    /got "ipo": it is a loss of pairs, for pairLoss and tokens with pairs$/,
  ],
  [
    "a loss of rows beside pairs",
    { tokens: ofPairs },
    { lossType: "kto" },
    "unknown-loss",
    /got "kto": it is a loss of single rows, for unpairedLoss and tokens with rows$/,
  ],
  [
    "pairs and rows",
    { tokens: { ...tokens, pairs: 2 } },
    {},
    "unused-option",
    /^tokens: expected pairs or rows, got both$/,
  ],
  ["LD-DPO", {}, { ldAlpha: 0.5 }, "unused-option", /^ldAlpha: not used by losses of rows, which have no partners$/],
  [
    "WPO",
    {},
    { weighting: "wpo" },
    "unused-option",
    /^weighting: not used by losses of rows|^weighting: "wpo" weighs pairs/,
  ],
  ["no reference", { reference: undefined }, {}, "missing-input", /^reference: expected with kto, got nothing$/],
  [
    "log-probs of too few rows",
    { reference: { logps: new Float64Array(2) } },
    {},
    "wrong-length",
    /^reference\.logps: expected 4 values, got 2$/,
  ],
  [
    "a result of pairs",
    {},
    { out: { gradChosen: new Float32Array(2) } },
    "unknown-option",
    /^out\.gradChosen: not a result; known: losses, grad, rewards/,
  ],
  [
    "a result of another length",
    {},
    { out: { grad: new Float32Array(2) } },
    "wrong-length",
    /^out\.grad: expected 4 values, got 2$/,
  ],
  [
    "a NaN among mismatched rows, where finite is asked for",
    { kl: { ...kl, policy: Float64Array.of(1, Number.NaN) } },
    { validate: "finite" },
    "not-finite",
    /^kl\.policy\[1\]: expected a finite number, got NaN$/,
  ],
];

async function expectRefusal(
  call: (given: never, options: never) => unknown,
  base: Fields,
  [, given, options, code, message]: Refusal,
): Promise<void> {
  const out = { losses: new Float32Array(4).fill(7) };
  const thrown = await (async () => call({ ...base, ...given } as never, { out, ...options } as never))().catch(
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(DpoError);
  expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(Array.from(out.losses)).toEqual([7, 7, 7, 7]);
}

onEachBackend((backend) => {
  describe("unpairedLoss refuses", () => {
    it.each(refusals)("%s", async (...refusal) => {
      await expectRefusal((given, options) => backend.unpairedLoss(given, options), { ...rows }, refusal as Refusal);
    });
  });

  describe("logitsLoss of rows refuses", () => {
    it.each(ofTokens)("%s", async (...refusal) => {
      await expectRefusal((given, options) => backend.logitsLoss(given, options), batch, refusal as Refusal);
    });
  });

  it("linearLoss of rows refuses labels that are missing", async () => {
    const head = {
      tokens,
      vocab,
      hiddenSize: vocab,
      hidden: logits,
      weight: new Float32Array(vocab * vocab),
      reference: { logps: new Float64Array(4) },
    };
    await expectRefusal((given, options) => backend.linearLoss(given, options), head, [
      "",
      {},
      { lossType: "bco" },
      "missing-input",
      /^desirable: /,
    ]);
  });

  it("a call that is refused leaves the running mean alone, one that is not counts its rows", async () => {
    const rewardShift = createRunningMean();
    const options = { lossType: "bco", rewardShift };
    const refused = (async () => backend.unpairedLoss({ ...rows, desirable: [true] }, options))();
    await expect(refused).rejects.toThrow(/^desirable: /);
    expect(rewardShift.toJSON()).toEqual({ mean: 0, count: 0 });
    const first = await backend.unpairedLoss(rows, options);
    expect(rewardShift.count).toBe(4);
    expect(first.metrics["delta"]).toBe(rewardShift.mean);
    // Restored from JSON it goes on as if it had never stopped; a number leaves it alone.
    const restored = createRunningMean(JSON.parse(JSON.stringify(rewardShift)));
    const more = randomRows(3, 83);
    const evaluated = await backend.unpairedLoss(more, { lossType: "bco", rewardShift: rewardShift.mean });
    expect(evaluated.metrics["delta"]).toBe(rewardShift.mean);
    const [one, other] = [
      await backend.unpairedLoss(more, options),
      await backend.unpairedLoss(more, { lossType: "bco", rewardShift: restored }),
    ];
    expect(one.loss).toBe(other.loss);
    expect([rewardShift.count, restored.count]).toEqual([7, 7]);
  });

  it("a signal that was aborted ends the call", async () => {
    const signal = AbortSignal.abort("enough");
    await expect((async () => backend.unpairedLoss(rows, { signal }))()).rejects.toMatchObject({
      code: "aborted",
      cause: "enough",
    });
  });
});
