// TRL's CPO and ORPO trainers: every paired vector of beyond.json from sequence log-probabilities, and from logits and hidden states
// (an identity head), on every backend; metrics are those of the trainers.

import { describe, expect, it } from "vitest";
import type { LossOptions, PairLogps } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { exactly, missesOfBound, type Want } from "./support/bound.ts";
import { magnitude, missesNear } from "./support/compare.ts";
import { readGolden } from "./support/golden.ts";
import { flatIds, flatMask } from "./support/logits.ts";
import { wide } from "./support/pairs.ts";

interface Hyper {
  beta: number;
  label_smoothing?: number;
  cpo_alpha?: number;
  simpo_gamma?: number;
  alpha?: number;
}

interface Named {
  id: string;
  batch: string;
  trainer: string;
  loss_type: string;
  hyper: Hyper;
}

interface Block {
  loss: number;
  per_pair: number[];
  grad_chosen: number[];
  grad_rejected: number[];
  grad_nll: number;
  metrics: Record<string, number>;
}

interface PairedCase extends Named {
  argument: "sum" | "mean";
  f64: Block;
  stable_f64?: Block;
}

interface Batch {
  policy_chosen_logps: number[];
  policy_rejected_logps: number[];
  chosen_lengths: number[];
  rejected_lengths: number[];
  nll_loss: number;
}

interface LogitsCase extends Named {
  f64: { loss: number; per_pair: number[]; grad_logits: number[][][]; metrics: Record<string, number> };
}

interface Rows {
  input_ids: number[][];
  attention_mask: number[][];
  completion_mask: number[][];
  policy_logits: number[][][];
}

const { paired, logits } = readGolden<{
  paired: { batches: Record<string, Batch>; cases: PairedCase[] };
  logits: { batches: Record<string, Rows>; cases: LogitsCase[] };
}>("beyond.json");

const names: Readonly<Record<string, string>> = { sigmoid: "cpo_sigmoid", hinge: "cpo_hinge", ipo: "cpo_ipo" };

function optionsOf({ loss_type, hyper }: Named): LossOptions {
  const { beta, label_smoothing = 0, simpo_gamma, alpha = 0 } = hyper;
  return {
    lossType: names[loss_type] ?? loss_type,
    beta,
    ...(label_smoothing !== 0 && { labelSmoothing: label_smoothing }),
    ...(alpha !== 0 && { alphapoAlpha: alpha }),
    ...(loss_type === "simpo" && { simpoGamma: simpo_gamma }),
  };
}

const pairsOf = (batch: Batch): PairLogps => ({
  policyChosen: Float32Array.from(batch.policy_chosen_logps),
  policyRejected: Float32Array.from(batch.policy_rejected_logps),
  chosenLengths: Float32Array.from(batch.chosen_lengths),
  rejectedLengths: Float32Array.from(batch.rejected_lengths),
});

const cases = paired.cases.map((golden) => {
  const { f64, stable_f64, argument, hyper, trainer } = golden;
  const batch = paired.batches[golden.batch] as Batch;
  const { loss, per_pair, grad_chosen, grad_rejected } = stable_f64 ?? f64;
  const perToken = (gradient: number[], lengths: number[]): number[] =>
    gradient.map((g, i) => (argument === "mean" ? g / (lengths[i] as number) : g));
  const { nll_loss: _, ...metrics } = f64.metrics;
  const want: Want = {
    // The NLL of pairs needs tokens.
    loss: loss - (trainer === "orpo" ? 1 : (hyper.cpo_alpha ?? 0)) * batch.nll_loss,
    losses: per_pair,
    gradChosen: perToken(grad_chosen, batch.chosen_lengths),
    gradRejected: perToken(grad_rejected, batch.rejected_lengths),
    // Where TRL's own are off, so are its metrics.
    ...(stable_f64 ? {} : { metrics }),
  };
  const pairs = pairsOf(batch);
  const options = optionsOf(golden);
  return { golden, want, pairs, options, moved: exactly(pairs, options) };
});

const logitsCases = logits.cases
  .filter(({ trainer }) => trainer === "cpo" || trainer === "orpo")
  .map((golden) => {
    const rows = logits.batches[golden.batch] as Rows;
    const { cpo_alpha = 0 } = golden.hyper;
    const options = { ...optionsOf(golden), ...(golden.trainer === "cpo" && { cpoAlpha: cpo_alpha }) };
    const vocab = rows.policy_logits[0]?.[0]?.length ?? 0;
    const tokens = {
      pairs: rows.input_ids.length / 2,
      length: rows.input_ids[0]?.length ?? 0,
      inputIds: flatIds(rows.input_ids),
      completionMask: flatMask(rows.completion_mask),
      attentionMask: flatMask(rows.attention_mask),
    };
    return { golden, options, tokens, vocab, values: Float32Array.from(rows.policy_logits.flat(2)) };
  });

onEachBackend((backend) => {
  describe("from log-probs", () => {
    it.each(cases.map((one) => [one.golden.id, one] as const))("%s", async (_id, { want, pairs, options, moved }) => {
      for (const inputs of [pairs, wide(pairs)]) {
        const got = await backend.pairLoss(inputs, { ...options, metrics: "full" });
        expect(missesOfBound(got, want, moved, options.beta ?? 0.1)).toEqual([]);
      }
    });
  });

  describe("from logits", () => {
    const named = logitsCases.map((one) => [one.golden.id, one] as const);

    it.each(named)("%s", async (_id, { golden, options, tokens, vocab, values }) => {
      const { f64 } = golden;
      const gradient = f64.grad_logits.flat(2);
      const got = await backend.logitsLoss({ tokens, vocab, logits: values }, options);
      const { "logits/chosen": _chosen, "logits/rejected": _rejected, ...metrics } = f64.metrics;
      expect([
        ...missesNear("loss", [got.loss], [f64.loss], 1e-6),
        ...missesNear("gradLogits", got.gradLogits as Float32Array, gradient, 1e-5, 1e-6 * magnitude(gradient)),
        ...Object.entries(metrics).flatMap(([key, want]) =>
          missesNear(key, [got.metrics[key] as number], [want], 1e-5, 1e-6),
        ),
      ]).toEqual([]);
    });

    it.each(named)(
      "%s, from hidden states through an identity",
      async (_id, { golden, options, tokens, vocab, values }) => {
        const gradient = golden.f64.grad_logits.flat(2);
        const weight = Float32Array.from({ length: vocab * vocab }, (_, at) => (at % (vocab + 1) === 0 ? 1 : 0));
        const call = { tokens, vocab, hiddenSize: vocab, hidden: values, weight };
        const got = await backend.linearLoss(call, options);
        expect([
          ...missesNear("loss", [got.loss], [golden.f64.loss], 1e-6),
          ...missesNear("gradHidden", got.gradHidden as Float32Array, gradient, 1e-5, 1e-6 * magnitude(gradient)),
        ]).toEqual([]);
      },
    );
  });
});

it("the file holds the cases that the tests count on", () => {
  expect(cases).toHaveLength(75);
  expect(logitsCases).toHaveLength(7);
});
