// Logits and hidden states of each row's last positions alone (tokens.logitsFrom): the results of all positions, in the same
// places, and gradients in the layout of what was given.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ortLogits } from "../src/adapters/onnxruntime.ts";
import { ParamError, ShapeError } from "../src/index.ts";
import type { Floats, SequencesBatch, Tokens } from "../src/types.ts";
import { createWebGpu, type WebGpuBackend } from "../src/webgpu.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesSame } from "./support/compare.ts";
import { adapterOfDawn, onDawn } from "./support/dawn.ts";
import { floatsOf } from "./support/gpu-buffers.ts";
import { numbersOf } from "./support/half.ts";
import { type LinearCase, randomLinear } from "./support/linear.ts";
import { randomLogits } from "./support/logits.ts";

const FROM = 3;
const [pairs, length, vocab, width] = [3, 9, 13, 5];

/** Prompts of at least FROM + 1 tokens, so that nothing is predicted before position FROM. */
function behindPrompts(tokens: Tokens): Tokens & { inputIds: Int32Array } {
  const completionMask = (tokens.completionMask as Uint8Array).map((bit, at) => (at % length > FROM ? bit : 0));
  for (let r = 0; r < 2 * pairs; r++) completionMask[r * length + FROM + 1 + (r % 3)] = 1;
  return { ...tokens, inputIds: tokens.inputIds as Int32Array, completionMask };
}

/** What stands at the trailing positions of each row. */
function trailing(values: Float32Array, size: number): Float32Array {
  const rows = Array.from({ length: 2 * pairs }, (_, r) =>
    values.subarray((r * length + FROM) * size, (r + 1) * length * size),
  );
  return Float32Array.from(rows.flatMap((row) => [...row]));
}

const whole = randomLogits({ pairs, length, vocab, seed: 5, holes: 0.2 });
const tokens = behindPrompts(whole.tokens);
const shorter = { ...tokens, logitsFrom: FROM };
const all = { ...whole, tokens };
const last = {
  ...{ tokens: shorter, vocab, logits: trailing(whole.logits, vocab) },
  reference: { logits: trailing(whole.reference.logits, vocab) },
};

const allStates: LinearCase = { ...randomLinear({ pairs, length, vocab, width, seed: 6 }), tokens: tokens as never };
const lastStates = {
  ...allStates,
  tokens: shorter,
  hidden: trailing(allStates.hidden as Float32Array, width),
  reference: { ...allStates.reference, hidden: trailing(allStates.reference.hidden as Float32Array, width) },
};

const options = { lossType: ["sigmoid", "sft"], metrics: "full" } as const;
const perToken = ["logps", "tokenLogps", "logsumexp"] as const;

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

onDawn("logitsFrom, readback: false", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  it("leaves on the GPU what logits of all positions leave there", async () => {
    const [want, got] = await Promise.all(
      [all, last].map((batch) => gpu.logitsLoss(batch, { ...options, readback: false })),
    );
    for (const name of [...perToken, "losses"] as const) {
      const [wanted, given] = await Promise.all(
        [want, got].map(async (result) => floatsOf(gpu.device, result?.[name] as never)),
      );
      expect(missesSame(name, given ?? [], wanted ?? [])).toEqual([]);
    }
    for (const result of [want, got]) result?.destroy();
  });
});
