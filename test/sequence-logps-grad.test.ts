// Log-probs, entropies and their gradient, from logits and from hidden states: TRL 1.16's own (the `vjp` of trl-1.16-head.json), and
// against the losses, which are functions of log-probs like any other.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import type { Floats, LinearBatch, LogpsGradients, SequenceLogpsGradOptions, SequencesBatch } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { excessOver, magnitude, misses, missesNear, missesSame } from "./support/compare.ts";
import { headInputs, headPolicy, type VjpCase, vjpCases } from "./support/golden-head.ts";
import { withLastColumn } from "./support/golden-logits.ts";
import { numbersOf, toBits } from "./support/half.ts";
import { logitsOf, randomLinear } from "./support/linear.ts";
import { randomLogits } from "./support/logits.ts";
import { transforms } from "./support/transforms.ts";

const js = createJs();

const gradientsOf = ({ of }: VjpCase): LogpsGradients => ({
  ...(of !== "entropy" && { tokenLogps: Float64Array.from(withLastColumn(headInputs.grad_token_logps)) }),
  ...(of !== "logp" && { entropy: Float64Array.from(withLastColumn(headInputs.grad_entropy)) }),
});

const within = (name: string, got: Floats | undefined, want: ArrayLike<number>, share = 1e-5, least = 0) => {
  const bound = share * magnitude(want) + least;
  return misses(name, numbersOf(got as Floats), want, (g, w) => excessOver(bound, g, w));
};

const asRows = ({ tokens, ...batch }: LinearBatch): SequencesBatch => {
  const { pairs, ...rest } = tokens as { pairs: number };
  return { ...batch, tokens: { ...rest, rows: 2 * pairs } as SequencesBatch["tokens"] };
};

onEachBackend((backend) => {
  describe("trl-1.16-head.json, vjp", () => {
    const policy = headPolicy(true);
    const { vocab, hiddenSize } = policy;
    const logits = logitsOf(policy, vocab, hiddenSize);

    it.each(vjpCases.map((one) => [one.id, one] as const))("%s", async (_id, golden) => {
      const { f64, logit } = golden;
      const gradients = gradientsOf(golden);
      const forward = await backend.sequenceLogps(policy, { ...logit, entropy: true });
      const got = await backend.sequenceLogpsGrad(policy, gradients, logit);
      const ofLogits = await backend.sequenceLogpsGrad({ tokens: policy.tokens, vocab, logits }, gradients, logit);
      expect([
        ...missesNear("tokenLogps", forward.tokenLogps, withLastColumn(f64.token_logps), 1e-6, 2e-6),
        ...missesNear("entropy", forward.entropy as Float32Array, withLastColumn(f64.entropy), 1e-6, 3e-6),
        ...within("gradLogits", ofLogits.gradLogits, f64.grad_logits.flat(2)),
        ...within("gradHidden", got.gradHidden, f64.grad_hidden.flat(2)),
        ...within("gradWeight", got.gradWeight, f64.grad_weight.flat()),
        ...within("gradBias", got.gradBias, f64.grad_bias),
      ]).toEqual([]);
      expect(Object.keys(got)).toEqual(["gradHidden", "gradWeight", "gradBias"]);
      expect(Object.keys(ofLogits)).toEqual(["gradLogits"]);
    });

    it("rows are the sequences of pairs, without partners", async () => {
      const rows = await backend.sequenceLogps(asRows(policy), { entropy: true, metrics: "full" });
      const pairs = await backend.sequenceLogps(policy, { entropy: true, metrics: "full" });
      for (const name of ["logps", "tokenLogps", "logsumexp", "entropy"] as const) {
        expect(missesSame(name, rows[name] as Float32Array, pairs[name] as Float32Array)).toEqual([]);
      }
      expect(Object.keys(rows.metrics).sort()).toEqual(["entropy", "logits/mean", "logps/mean", "mean_token_accuracy"]);
      const { "logps/chosen": chosen, "logps/rejected": rejected } = pairs.metrics as Record<string, number>;
      expect(rows.metrics["logps/mean"]).toBeCloseTo(((chosen as number) + (rejected as number)) / 2, 10);
      const gradients = { logps: Float64Array.of(1, -2, 0.5, 3) };
      const [got, want] = [
        await backend.sequenceLogpsGrad(asRows(policy), gradients),
        await backend.sequenceLogpsGrad(policy, gradients),
      ];
      expect(got).toEqual(want);
    });

    it("an odd number of rows, padded and packed", async () => {
      const tokens = { rows: 3, offsets: Int32Array.of(0, 2, 2, 5), targets: Int32Array.of(3, 1, 4, 0, 2) };
      const logits = Float32Array.from({ length: 5 * 6 }, (_, i) => Math.sin(i));
      const packed = await backend.sequenceLogps({ tokens, vocab: 6, logits }, { entropy: true });
      const want = Array.from({ length: 5 }, (_, k) => {
        const row = Array.from(logits.subarray(6 * k, 6 * k + 6));
        const lse = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
        return {
          logp: (row[tokens.targets[k] as number] as number) - lse,
          entropy: row.reduce((sum, x) => sum - Math.exp(x - lse) * (x - lse), 0),
        };
      });
      expect(
        missesNear(
          "tokenLogps",
          packed.tokenLogps,
          want.map(({ logp }) => logp),
          1e-6,
          1e-6,
        ),
      ).toEqual([]);
      expect(
        missesNear(
          "entropy",
          packed.entropy as Float32Array,
          want.map(({ entropy }) => entropy),
          1e-6,
          1e-6,
        ),
      ).toEqual([]);
      expect(packed.logps).toHaveLength(3);
      expect(packed.logps[1]).toBe(0);
      const padded = {
        rows: 1,
        length: 4,
        inputIds: Int32Array.of(5, 3, 1, 4),
        completionMask: Uint8Array.of(0, 1, 0, 1),
      };
      const one = await backend.sequenceLogps(
        { tokens: padded, vocab: 6, logits: logits.slice(0, 24) },
        { entropy: true },
      );
      expect(Array.from(one.entropy as Float32Array, (x) => x !== 0)).toEqual([true, false, true, false]);
    });
  });

  const types: Record<string, (values: Float32Array) => Floats> = {
    f32: (values) => values,
    f16: (values) => ({ f16: toBits("f16", values) }),
    bf16: (values) => ({ bf16: toBits("bf16", values) }),
  };

  describe.each(Object.entries(types))("from hidden states of %s", (_type, convert) => {
    it.each([
      ["a full head", { bias: true }],
      ["an adapter", { rank: 3 }],
      ["packed tokens and several shards", { isPacked: true, vocab: 700 }],
    ] as const)("%s: forward gives what linearLoss gives, backward the gradient of its loss", async (_head, more) => {
      const made = randomLinear({ pairs: 2, length: 7, vocab: 150, width: 13, seed: 81, holes: 0.2, ...more });
      const call = {
        ...made,
        hidden: convert(made.hidden as Float32Array),
        weight: convert(made.weight as Float32Array),
        ...(made.bias && { bias: convert(made.bias as Float32Array) }),
      };
      const options = { lossType: "sigmoid", gradType: "f32", logitSoftcap: 4, ldAlpha: 0.5 } as const;
      const loss = await backend.linearLoss(call, options);
      const { reference: _, ...batch } = call;
      const { ldAlpha, logitSoftcap } = options;
      const forward = await backend.sequenceLogps(batch, { ldAlpha, logitSoftcap });
      expect(missesSame("logps", forward.logps, loss.logps)).toEqual([]);
      expect(missesSame("tokenLogps", forward.tokenLogps, loss.tokenLogps)).toEqual([]);
      expect(forward.entropy).toBeUndefined();
      const logps = Float32Array.from([...loss.gradChosen, ...loss.gradRejected]);
      const got = await backend.sequenceLogpsGrad(batch, { logps }, { ldAlpha, logitSoftcap, gradType: "f32" });
      const names = Object.keys(got) as (keyof typeof got)[];
      expect(names.length).toBeGreaterThan(1);
      expect(names.flatMap((name) => within(name, got[name], numbersOf((loss as never)[name]), 2e-6))).toEqual([]);
    });
  });

  // L = Σ a·log p + Σ b·H + Σ c·(sequence log-prob)², in float64.
  const short = randomLogits({ pairs: 1, length: 4, vocab: 9, seed: 82, spread: 1.5 });
  const a = Float64Array.from({ length: 8 }, (_, t) => Math.sin(3 * t + 1));
  const b = Float64Array.from({ length: 8 }, (_, t) => Math.cos(5 * t));
  const lossOf = (logits: Float32Array, transform: object): number => {
    const { logps, tokenLogps, entropy } = js.sequenceLogps({ ...short, reference: undefined, logits } as never, {
      ...transform,
      entropy: true,
      out: { tokenLogps: new Float64Array(8) },
    });
    const ofTokens = Float64Array.from(tokenLogps).reduce((sum, x, t) => sum + (a[t] as number) * x, 0);
    const ofEntropy = (entropy as Float32Array).reduce((sum, x, t) => sum + (b[t] as number) * x, 0);
    return ofTokens + ofEntropy + logps.reduce((sum, x) => sum + 0.1 * x * x, 0);
  };

  describe.each(Object.entries({ plain: {}, ...transforms }))("%s", (_name, transform) => {
    it("is the gradient of a function of all three, by finite differences", async () => {
      const batch = { tokens: short.tokens, vocab: short.vocab, logits: short.logits };
      const { logps } = await backend.sequenceLogps(batch, transform);
      const gradients = { logps: logps.map((x) => 0.2 * x), tokenLogps: a, entropy: b };
      const { gradLogits } = await backend.sequenceLogpsGrad(batch, gradients, transform);
      const step = 2 ** -7;
      const want = Float64Array.from(short.logits, (_, i) => {
        const at = (by: number) =>
          lossOf(
            short.logits.map((x, j) => (j === i ? x + by : x)),
            transform,
          );
        return (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      });
      const bound = 1e-3 * magnitude(want) + 3e-5;
      expect(misses("gradLogits", gradLogits as Float32Array, want, (g, w) => excessOver(bound, g, w))).toEqual([]);
    });

    it.each(Object.entries(types))("logits of %s, in rows of several blocks: what js gives", async (type, convert) => {
      const long = randomLogits({ pairs: 1, length: 4, vocab: 9001, seed: 83 });
      const batch = { tokens: long.tokens, vocab: long.vocab, logits: convert(long.logits) };
      const gradients = { tokenLogps: a, entropy: Float32Array.from(b) };
      const options = { ...transform, gradScale: 16, gradType: "f32" } as SequenceLogpsGradOptions;
      const want = js.sequenceLogpsGrad(batch, gradients, options).gradLogits as Float32Array;
      const got = await backend.sequenceLogpsGrad(batch, gradients, options);
      const same = await backend.sequenceLogpsGrad(batch, gradients, { ...options, gradType: "same" });
      const bound = 2e-5 * magnitude(want);
      expect(within("gradLogits", got.gradLogits, want, 2e-5)).toEqual([]);
      const ulp = type === "f32" ? 0 : type === "f16" ? 2 ** -11 : 2 ** -8;
      const rounded = (g: number, w: number) => excessOver(bound + ulp * Math.abs(w) + 2 ** -25, g, w);
      expect(misses("gradLogits", numbersOf(same.gradLogits as Floats), want, rounded)).toEqual([]);
    });
  });

  describe("options", () => {
    const { reference: _, ...head } = randomLinear({ pairs: 2, length: 5, vocab: 31, width: 7, seed: 84, bias: true });
    const positions = 20;
    const gradients = {
      tokenLogps: Float32Array.from({ length: positions }, (_, t) => Math.sin(t)),
      entropy: Float32Array.from({ length: positions }, (_, t) => Math.cos(t)),
    };
    const logits = logitsOf(head, 31, 7);
    const batch = { tokens: head.tokens, vocab: 31, logits };

    it("out is filled, and is what comes back; accumulate adds to it; gradScale multiplies", async () => {
      const want = await backend.sequenceLogpsGrad(head, gradients);
      const out = {
        gradHidden: new Float32Array(positions * 7),
        gradWeight: new Float32Array(31 * 7).fill(1),
        gradBias: new Float32Array(31).fill(1),
      };
      const got = await backend.sequenceLogpsGrad(head, gradients, { out, accumulate: true, gradScale: 2 });
      expect(got.gradWeight).toBe(out.gradWeight);
      const twice = (values: Floats | undefined, plus: number) => numbersOf(values as Floats).map((x) => 2 * x + plus);
      expect([
        ...within("gradHidden", out.gradHidden, twice(want.gradHidden, 0), 1e-6),
        ...within("gradWeight", out.gradWeight, twice(want.gradWeight, 1), 1e-6),
        ...within("gradBias", out.gradBias, twice(want.gradBias, 1), 1e-6),
      ]).toEqual([]);
    });

    it("inPlace writes over the logits; rows that do not count get zeros", async () => {
      const want = (await backend.sequenceLogpsGrad(batch, gradients)).gradLogits as Float32Array;
      const own = logits.slice();
      const got = await backend.sequenceLogpsGrad({ ...batch, logits: own }, gradients, { inPlace: true });
      expect(got.gradLogits).toBe(own);
      expect(missesSame("gradLogits", own, want)).toEqual([]);
    });

    it("what stands where nothing counts is not looked at", async () => {
      const { completionMask } = head.tokens as { completionMask: Uint8Array };
      const counts = (t: number): boolean => (t + 1) % 5 !== 0 && completionMask[t + 1] === 1;
      const spoiled = {
        tokenLogps: gradients.tokenLogps.map((x, t) => (counts(t) ? x : Number.NaN)),
        entropy: gradients.entropy.map((x, t) => (counts(t) ? x : Infinity)),
      };
      expect(await backend.sequenceLogpsGrad(head, spoiled, { validate: "finite" })).toEqual(
        await backend.sequenceLogpsGrad(head, gradients),
      );
    });

    it("a masked logit has no gradient, and no say in an entropy", async () => {
      const masked = logits.map((x, i) => (i % 31 === 30 ? -Infinity : x));
      const ids = head.tokens as { inputIds: Int32Array };
      const tokens = { ...head.tokens, inputIds: ids.inputIds.map((id) => Math.min(id, 29)) } as typeof head.tokens;
      const { entropy } = await backend.sequenceLogps({ ...batch, tokens, logits: masked }, { entropy: true });
      expect(Array.from(entropy as Float32Array).every(Number.isFinite)).toBe(true);
      const { gradLogits } = await backend.sequenceLogpsGrad({ ...batch, tokens, logits: masked }, gradients);
      const values = Array.from(gradLogits as Float32Array);
      expect(values.every((g, i) => Number.isFinite(g) && (i % 31 !== 30 || g === 0))).toBe(true);
      expect(values.some((g) => g !== 0)).toBe(true);
    });

    it("entropy goes to its buffer", async () => {
      const out = { entropy: new Float32Array(positions).fill(7) };
      const { entropy } = await backend.sequenceLogps(head, { entropy: true, out });
      expect(entropy).toBe(out.entropy);
      const fresh = await backend.sequenceLogps(head, { entropy: true });
      expect(missesSame("entropy", out.entropy, fresh.entropy as Float32Array)).toEqual([]);
    });

    const refusals: [string, () => unknown, string][] = [
      ["no gradient at all", () => backend.sequenceLogpsGrad(head, {}), "gradients: expected at least one"],
      [
        "a wrong length",
        () => backend.sequenceLogpsGrad(head, { logps: new Float32Array(3) }),
        "gradients.logps: expected 4 values",
      ],
      [
        "a wrong kind",
        () => backend.sequenceLogpsGrad(head, { entropy: [1] as never }),
        "gradients.entropy: expected a Float32Array",
      ],
      [
        "an unknown gradient",
        () => backend.sequenceLogpsGrad(head, { logsumexp: 1 } as never),
        "gradients.logsumexp: not a gradient",
      ],
      [
        "an infinite gradient",
        () => backend.sequenceLogpsGrad(head, { logps: Float32Array.of(0, Infinity, 0, 0) }, { validate: "finite" }),
        "gradients.logps[1]: expected a finite number",
      ],
      [
        "a head and logits",
        () => backend.sequenceLogps({ ...head, logits } as never),
        "batch.hidden: not used beside logits",
      ],
      [
        "pairs and rows",
        () => backend.sequenceLogps({ ...batch, tokens: { ...head.tokens, rows: 4 } } as never),
        "tokens: expected pairs or rows, got both",
      ],
      [
        "ldAlpha of rows",
        () => backend.sequenceLogps(asRows(head as never), { ldAlpha: 0.5 }),
        "ldAlpha: not used by sequences that are not pairs",
      ],
      [
        "rows in a loss",
        () => backend.linearLoss({ ...asRows(head as never), reference: { logps: new Float64Array(4) } } as never),
        "tokens.rows",
      ],
      [
        "inPlace of a head",
        () => backend.sequenceLogpsGrad(head, gradients, { inPlace: true }),
        "inPlace: not used by a head",
      ],
      [
        "accumulate of logits",
        () => backend.sequenceLogpsGrad(batch, gradients, { accumulate: true }),
        "accumulate: not used by logits",
      ],
      [
        "accumulate into nothing",
        () => backend.sequenceLogpsGrad(head, gradients, { accumulate: true }),
        "out.gradWeight: expected with accumulate",
      ],
      [
        "another's gradient",
        () => backend.sequenceLogpsGrad(batch, gradients, { out: { gradWeight: new Float32Array(1) } }),
        "out.gradWeight: not a result",
      ],
      [
        "a loss's option",
        () => backend.sequenceLogpsGrad(batch, gradients, { beta: 0.1 } as never),
        "beta: not an option of sequenceLogpsGrad",
      ],
      ["entropy 1", () => backend.sequenceLogps(batch, { entropy: 1 } as never), "entropy: expected true or false"],
      [
        "a buffer for no entropy",
        () => backend.sequenceLogps(batch, { out: { entropy: new Float32Array(positions) } }),
        "out.entropy: expected with entropy true",
      ],
    ];
    it.each(refusals)("refuses %s", async (_what, call, message) => {
      await expect((async () => call())()).rejects.toThrow(message);
    });
  });
});
