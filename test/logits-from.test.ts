// Logits and hidden states of each row's last positions alone (tokens.logitsFrom): the results of all positions, in the same
// places, and gradients in the layout of what was given.

import { describe, expect, it } from "vitest";
import { ortLogits } from "../src/adapters/onnxruntime.ts";
import { ParamError, ShapeError } from "../src/index.ts";
import type { Floats, SequencesBatch, Tokens } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesSame } from "./support/compare.ts";
import { numbersOf } from "./support/half.ts";
import {
  all,
  allStates,
  FROM,
  last,
  lastStates,
  length,
  options,
  pairs,
  perToken,
  shorter,
  tokens,
  trailing,
  vocab,
  width,
} from "./support/logits-from.ts";

onEachBackend((backend) => {
  it("logitsLoss: the same results, and the gradient of the logits that were given", async () => {
    const want = await backend.logitsLoss(all, options);
    const got = await backend.logitsLoss(last, options);
    for (const name of [...perToken, "gradChosen", "gradRejected"] as const) {
      expect(missesSame(name, got[name], want[name])).toEqual([]);
    }
    expect([got.loss, got.metrics]).toEqual([want.loss, want.metrics]);
    expect(
      missesSame("gradLogits", numbersOf(got.gradLogits), trailing(want.gradLogits as Float32Array, vocab)),
    ).toEqual([]);
    // Over the logits, rows that do not count are cleared.
    const inPlace = await backend.logitsLoss({ ...last, logits: last.logits.slice() }, { ...options, inPlace: true });
    expect(missesSame("inPlace", numbersOf(inPlace.gradLogits), numbersOf(got.gradLogits))).toEqual([]);
  });

  it("linearLoss: the same results, and the gradient of the hidden states that were given", async () => {
    const want = await backend.linearLoss(allStates, options);
    const got = await backend.linearLoss(lastStates, options);
    for (const name of [...perToken, "gradChosen", "gradRejected"] as const) {
      expect(missesSame(name, got[name], want[name])).toEqual([]);
    }
    expect(missesSame("gradWeight", numbersOf(got.gradWeight as Floats), numbersOf(want.gradWeight as Floats))).toEqual(
      [],
    );
    expect(
      missesSame("gradHidden", numbersOf(got.gradHidden), trailing(want.gradHidden as Float32Array, width)),
    ).toEqual([]);
  });

  it.each([
    ["logits", all, last, vocab],
    ["hidden states", allStates, lastStates, width],
  ] as const)("sequenceLogps and its gradient, from %s, of pairs and of rows", async (_name, wide, narrow, size) => {
    for (const count of [{ pairs }, { pairs: undefined, rows: 2 * pairs }]) {
      const [from, to] = [wide, narrow].map((batch) => ({ ...batch, tokens: { ...batch.tokens, ...count } }));
      const want = await backend.sequenceLogps(from as never, { entropy: true });
      const got = await backend.sequenceLogps(to as never, { entropy: true });
      for (const name of [...perToken, "entropy"] as const) {
        expect(missesSame(name, got[name] ?? [], want[name] ?? [])).toEqual([]);
      }
      const gradients = {
        tokenLogps: Float32Array.from({ length: 2 * pairs * length }, (_, at) => Math.sin(at)),
        entropy: Float32Array.from({ length: 2 * pairs * length }, (_, at) => Math.cos(at)),
      };
      const name = size === vocab ? "gradLogits" : "gradHidden";
      const wanted = (await backend.sequenceLogpsGrad(from as SequencesBatch, gradients))[name] as Float32Array;
      const given = (await backend.sequenceLogpsGrad(to as SequencesBatch, gradients))[name] as Float32Array;
      expect(missesSame(name, given, trailing(wanted, size))).toEqual([]);
    }
  });

  it("results stand in arrays of all positions, gaps cleared", async () => {
    const out = {
      tokenLogps: new Float32Array(2 * pairs * length).fill(7),
      logsumexp: new Float64Array(2 * pairs * length),
    };
    const want = await backend.sequenceLogps(all);
    await backend.sequenceLogps(last, { out });
    expect(missesSame("tokenLogps", out.tokenLogps, want.tokenLogps)).toEqual([]);
  });

  describe("refusals", () => {
    const call = async (logitsFrom: unknown, batch = last) =>
      backend.sequenceLogps({ ...batch, tokens: { ...tokens, logitsFrom } as Tokens });

    it("a token that counts and is predicted before logits begin", async () => {
      await expect(call(5)).rejects.toThrow(ParamError);
      await expect(call(5)).rejects.toThrow(
        "tokens.logitsFrom: expected at most 3, got 5: logits from there on do not predict a token that counts (row 0, position 4)",
      );
    });

    it.each([
      [-1, "tokens.logitsFrom: expected an integer in 0..8 (tokens.length - 1), got -1"],
      [9, "tokens.logitsFrom: expected an integer in 0..8 (tokens.length - 1), got 9"],
      [0.5, "tokens.logitsFrom: expected an integer in 0..8 (tokens.length - 1), got 0.5"],
      ["3", "tokens.logitsFrom: expected a number, got a string"],
    ])("logitsFrom %s", async (value, message) => {
      await expect(call(value)).rejects.toThrow(message);
    });

    it("logits of all positions, and logits of the last alone without logitsFrom", async () => {
      await expect(call(FROM, { ...last, logits: all.logits })).rejects.toThrow(ShapeError);
      await expect(call(undefined)).rejects.toThrow(`logits: expected ${2 * pairs * length * vocab} values`);
    });

    it("packed tokens, which have no positions before those that count", async () => {
      const packed = { pairs: 1, offsets: Int32Array.of(0, 1, 2), targets: Int32Array.of(1, 2), logitsFrom: 0 };
      const given = { tokens: packed, vocab, logits: new Float32Array(2 * vocab) };
      await expect((async () => backend.sequenceLogps(given))()).rejects.toThrow("logitsFrom");
    });
  });
});

it("the first token of a row without a prompt is predicted by nothing, wherever logits begin", async () => {
  const { createJs } = await import("../src/js.ts");
  const completionMask = tokens.completionMask.slice() as Uint8Array;
  completionMask[0] = 1;
  const got = createJs().logitsLoss({ ...last, tokens: { ...shorter, completionMask } }, { lossType: "ipo" });
  const want = createJs().logitsLoss({ ...all, tokens: { ...tokens, completionMask } }, { lossType: "ipo" });
  expect(got.loss).toBe(want.loss);
});

it("ortLogits takes a tensor of the last positions", () => {
  const tensor = (positions: number) => ({
    ...{ type: "float32", location: "cpu", dims: [2 * pairs, positions, vocab] },
    data: new Float32Array(2 * pairs * positions * vocab),
  });
  expect(ortLogits(tensor(length - FROM), shorter).vocab).toBe(vocab);
  expect(() => ortLogits(tensor(length), shorter)).toThrow(ShapeError);
});
