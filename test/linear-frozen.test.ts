// `frozen`: the gradients of what is not tuned are left out, and the others keep their bits.

import { describe, expect, expectTypeOf, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { LinearLossOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { toBits } from "./support/half.ts";
import { gradientsOf, type LinearCase, randomLinear } from "./support/linear.ts";
import { last, lastStates } from "./support/logits-from.ts";
import { randomPairs } from "./support/pairs.ts";
import { asRows, randomRows } from "./support/rows.ts";

// Several shards, the last of them short; a tile of tokens that is not full; widths that are no eights.
const base = { pairs: 3, length: 5, vocab: 700, width: 9, seed: 83 };
const biased = randomLinear({ ...base, bias: true, holes: 0.2 });
const adapter = randomLinear({ ...base, rank: 3, isPacked: true });

const wide = randomLinear({ ...base, rank: 3, bias: true });
const halved: LinearCase = {
  ...wide,
  hidden: { bf16: toBits("bf16", wide.hidden as Float32Array) },
  weight: { bf16: toBits("bf16", wide.weight as Float32Array) },
};

const cases: Record<string, [call: LinearCase, options?: LinearLossOptions]> = {
  "a bias, holes": [biased],
  "widths of eights": [randomLinear({ ...base, width: 16 })],
  "an adapter": [adapter],
  "an adapter at a column of eights": [randomLinear({ ...base, width: 16, rank: 2 })],
  "an adapter and a bias, half types": [halved],
  "nothing is kept between the passes": [biased, { keep: 0 }],
  "tokens whose gradient is 0 are left out": [adapter, { lossType: "sft" }],
  "transformed logits": [biased, { logitSoftcap: 5, temperature: 0.7 }],
  "the last positions alone": [lastStates as never],
  "into float32": [biased, { gradType: "f32" }],
};

type Gradients = Record<string, { readonly length: number } | undefined>;

const without = (gradients: Gradients, ...names: string[]): Gradients =>
  Object.fromEntries(Object.entries(gradients).filter(([name, array]) => array && !names.includes(name)));

const ofHead = ["gradWeight", "gradBias", "gradA", "gradB"];

onEachBackend((backend) => {
  const run = async (call: LinearCase, options: LinearLossOptions): Promise<Gradients> =>
    gradientsOf((await backend.linearLoss(call, options)) as never) as never;

  it.each(Object.entries(cases))(
    "hidden states, %s: the head's gradients have the same bits",
    async (_, [call, options]) => {
      const want = await run(call, { ...options });
      expect(want["gradHidden"]).toBeDefined();
      expect(without(await run(call, { ...options, frozen: "hidden" }))).toEqual(without(want, "gradHidden"));
    },
  );

  it.each(Object.entries(cases).filter(([, [call]]) => !call.lora))(
    "the head, %s: the gradient of the hidden states has the same bits",
    async (_, [call, options]) => {
      const want = await run(call, { ...options });
      expect(without(await run(call, { ...options, frozen: "head" }))).toEqual(without(want, ...ofHead));
    },
  );

  it("rows, accumulated: the same bits", async () => {
    const call = { ...asRows(biased), desirable: Uint8Array.from({ length: 2 * base.pairs }, (_, r) => r % 2) };
    const tune = async (frozen: LinearLossOptions["frozen"]) => {
      const out = {
        gradWeight: new Float32Array(base.vocab * base.width).fill(0.5),
        gradBias: new Float32Array(base.vocab),
      };
      const options = { lossType: "bco", accumulate: true, out, frozen };
      return without(gradientsOf((await backend.linearLoss(call as never, options as never)) as never), "gradHidden");
    };
    expect(await tune("hidden")).toEqual(await tune(undefined));
  });

  it("sequenceLogpsGrad through a head: the same bits", async () => {
    const { reference: _, ...call } = adapter;
    const logps = Float64Array.from({ length: 2 * base.pairs }, (_, r) => (r === 1 ? 0 : Math.cos(r)));
    const size = (await createJs().sequenceLogps(call)).tokenLogps.length;
    const entropy = Float64Array.from({ length: size }, (_, k) => Math.sin(k));
    const back = async (options: object) =>
      gradientsOf((await backend.sequenceLogpsGrad(call as never, { logps, entropy }, options)) as never) as Gradients;
    const want = await back({});
    expect(without(await back({ frozen: "hidden" }))).toEqual(without(want, "gradHidden"));
  });

  it("a batch without a gradient leaves zeros, and nothing of what is frozen", async () => {
    const options = { lossType: "hinge", gradScale: 0 } as const;
    const got = await run(adapter, { ...options, frozen: "hidden" });
    expect(Object.keys(without(got)).sort()).toEqual(["gradA", "gradB"]);
    for (const array of Object.values(without(got)))
      expect(Array.from(array as Float32Array).some((x) => x !== 0)).toBe(false);
  });

  describe("refuses", () => {
    const refusal = async (run: () => unknown): Promise<unknown> => {
      try {
        await run();
        return undefined;
      } catch (error) {
        const { code, message } = error as { code: string; message: string };
        return `${code}: ${message}`;
      }
    };

    it.each([
      [{ frozen: "body" }, /^out-of-range: frozen: expected hidden, head, got "body"$|^out-of-range: frozen: expected/],
      [{ frozen: true }, /: frozen: expected/],
      [{ frozen: null }, /: frozen: expected/],
      [{ frozen: "hidden", out: { gradHidden: new Float32Array(1) } }, /out.gradHidden|gradHidden/],
      [{ frozen: "head", out: { gradWeight: new Float32Array(1) } }, /gradWeight/],
    ])("%o", async (options, message) => {
      expect(await refusal(() => backend.linearLoss(biased, options as never))).toMatch(message);
    });

    it("a frozen head with an adapter, which freezes it", async () => {
      expect(await refusal(() => backend.linearLoss(adapter, { frozen: "head" }))).toMatch(
        /^unused-option: frozen: expected no "head" with lora, which freezes it$/,
      );
    });

    it("calls that have no use for it", async () => {
      const options = { frozen: "hidden" } as object;
      const { reference: _, ...call } = biased;
      const calls: Record<string, () => unknown> = {
        pairLoss: () => backend.pairLoss(randomPairs(3, 1), options),
        unpairedLoss: () => backend.unpairedLoss(randomRows(3, 1), options),
        logitsLoss: () => backend.logitsLoss(last, options),
        sequenceLogps: () => backend.sequenceLogps(call, options),
      };
      for (const [name, run] of Object.entries(calls)) {
        expect(await refusal(run), name).toMatch(/^unused-option: frozen: not used by/);
      }
    });
  });
});

it("the type of the result has no gradHidden then", () => {
  const backend = createJs();
  const frozen = () => backend.linearLoss(biased, { frozen: "hidden" });
  const whole = () => backend.linearLoss(biased, {});
  expectTypeOf<ReturnType<typeof frozen>>().not.toHaveProperty("gradHidden");
  expectTypeOf<ReturnType<typeof whole>>().toHaveProperty("gradHidden");
});
