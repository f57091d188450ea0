// `keep`: bytes of logits that are held between the passes. However many there is room for, the bits are the same.

import { describe, expect, it } from "vitest";
import { KindError, ParamError } from "../src/index.ts";
import type { LinearLossOptions, LinearLossResult } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { gradientsOf, type LinearCase, missesOfLinearBits, randomLinear } from "./support/linear.ts";
import { last, lastStates } from "./support/logits-from.ts";
import { randomPairs } from "./support/pairs.ts";
import { asRows, randomRows } from "./support/rows.ts";

// Several shards, the last of them short; a tile of tokens that is not full.
const base = { pairs: 3, length: 5, vocab: 700, width: 9, seed: 81 };
const shape = randomLinear({ ...base, bias: true, holes: 0.2 });
const rows = asRows(shape);

const cases: Record<string, [call: LinearCase, options?: LinearLossOptions]> = {
  "a bias, holes": [shape],
  "packed tokens, an adapter": [randomLinear({ ...base, rank: 3, isPacked: true })],
  "tokens whose gradient is 0 are left out": [shape, { lossType: "sft" }],
  "some pairs of a hinge have no gradient": [shape, { lossType: "hinge", beta: 3 }],
  "transformed logits": [shape, { logitSoftcap: 5, temperature: 0.7 }],
  "the last positions alone": [lastStates as never],
  "prompts are read too": [shape, { lossType: "orpo" }],
};

const all = 2 ** 40;
/** Nothing; the first shard or so of several; everything. */
const limits = [4 * 20 * 300, all, undefined];

onEachBackend((backend, name) => {
  // A GPU keeps nothing, and its software driver takes its time.
  const tried = name === "webgpu" ? [all] : limits;

  it.each(Object.entries(cases))("%s: the same bits", async (_name, [call, options]) => {
    const want = await backend.linearLoss(call, { ...options, keep: 0 });
    for (const keep of tried) {
      expect(missesOfLinearBits(await backend.linearLoss(call, { ...options, keep }), want)).toEqual([]);
    }
  });

  it("rows: the same bits", async () => {
    const call = { ...rows, desirable: Uint8Array.from({ length: 2 * base.pairs }, (_, r) => r % 2) };
    const options = { lossType: "bco" } as const;
    const run = async (keep: number) =>
      gradientsOf((await backend.linearLoss(call as never, { ...options, keep })) as never);
    expect(await run(all)).toEqual(await run(0));
  });

  it("accumulate: the same bits", async () => {
    const run = async (keep: number) => {
      const { gradHidden: _, ...out } = gradientsOf(await backend.linearLoss(shape, { keep })) as never as {
        [name: string]: Float32Array;
      };
      const options = { keep, accumulate: true, out } as LinearLossOptions;
      return gradientsOf((await backend.linearLoss(shape, options)) as LinearLossResult);
    };
    expect(await run(all)).toEqual(await run(0));
  });

  it("sequenceLogpsGrad through a head: the same bits", async () => {
    const { reference: _, ...call } = shape;
    const logps = Float64Array.from({ length: 2 * base.pairs }, (_, r) => (r === 1 ? 0 : Math.cos(r)));
    const run = async (keep: number) =>
      gradientsOf((await backend.sequenceLogpsGrad(call, { logps }, { keep })) as never);
    expect(await run(all)).toEqual(await run(0));
  });

  describe("refuses", () => {
    it.each([
      ["64MB", KindError, "wrong-kind", /^keep: expected a number, got a string$/],
      [null, KindError, "wrong-kind", /^keep: expected a number, got null$/],
      [64n, KindError, "wrong-kind", /^keep: expected a number, got a bigint$/],
      [true, KindError, "wrong-kind", /^keep: expected a number, got a boolean$/],
      [-1, ParamError, "out-of-range", /^keep: expected an integer in 0..9007199254740991, got -1$/],
      [0.5, ParamError, "out-of-range", /^keep: .*, got 0.5$/],
      [Number.NaN, ParamError, "out-of-range", /^keep: .*, got NaN$/],
      [Infinity, ParamError, "out-of-range", /^keep: .*, got Infinity$/],
    ])("keep %s", async (keep, kind, code, message) => {
      const out = { gradHidden: new Float32Array((shape.hidden as Float32Array).length).fill(7) };
      const calls = [
        async () => backend.linearLoss(shape, { keep: keep as number, out }),
        async () => backend.sequenceLogpsGrad(shape, { logps: new Float64Array(6) }, { keep: keep as number, out }),
      ];
      for (const call of calls) {
        const error = await call().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(kind);
        expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
      }
      expect(out.gradHidden.every((x) => x === 7)).toBe(true);
    });

    it("keep in calls that have no use for it", async () => {
      const options = (keep: number) => ({ keep }) as object;
      const { reference: _, ...call } = shape;
      const calls: Record<string, (keep: number) => unknown> = {
        pairLoss: (keep) => backend.pairLoss(randomPairs(3, 1), options(keep)),
        unpairedLoss: (keep) => backend.unpairedLoss(randomRows(3, 1), options(keep)),
        logitsLoss: (keep) => backend.logitsLoss(last, options(keep)),
        sequenceLogps: (keep) => backend.sequenceLogps(call, options(keep)),
      };
      for (const [name, run] of Object.entries(calls)) {
        const error = await (async () => run(1))().catch((thrown: unknown) => thrown);
        expect(error, name).toMatchObject({
          code: "unused-option",
          message: expect.stringMatching(/^keep: not used by/),
        });
      }
    });
  });
});
