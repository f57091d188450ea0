// TRL's numbers for the losses of single rows from logits, and from hidden states through a head that is the identity: the cases of
// beyond.json of KTOTrainer and BCOTrainer.

import { describe, expect, it } from "vitest";
import { createRunningMean } from "../src/index.ts";
import type { UnpairedLogitsBatch, UnpairedLogitsOptions } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { magnitude, missesNear } from "./support/compare.ts";
import { readGolden } from "./support/golden.ts";
import { logitsOfRows, type Rows } from "./support/golden-logits.ts";
import { layoutNames, layouts } from "./support/logits.ts";
import { asRows } from "./support/rows.ts";

interface RowsOfFile extends Rows {
  labels: boolean[];
  KL_input_ids: number[][];
  KL_completion_mask: number[][];
  KL_policy_logits: number[][][];
  KL_ref_logits: number[][][];
}

interface Case {
  id: string;
  batch: string;
  trainer: string;
  loss_type: string;
  hyper: { beta: number; desirable_weight?: number; undesirable_weight?: number };
  f64: {
    loss: number;
    per_example: number[];
    grad_logits: number[][][];
    constant?: number;
    metrics: Record<string, number>;
  };
}

const { batches, cases } = readGolden<{ logits: { batches: Record<string, RowsOfFile>; cases: Case[] } }>(
  "beyond.json",
).logits;
const own = cases.filter(({ trainer }) => trainer === "kto" || trainer === "bco");

const optionsOf = ({ loss_type, hyper }: Case): UnpairedLogitsOptions => ({
  lossType: loss_type,
  beta: hyper.beta,
  ...(hyper.desirable_weight !== undefined && { desirableWeight: hyper.desirable_weight }),
  ...(hyper.undesirable_weight !== undefined && { undesirableWeight: hyper.undesirable_weight }),
  ...(loss_type === "bco" && { rewardShift: createRunningMean() }),
  metrics: "full",
});

// TRL's BCOTrainer logs sums; its "logits/*" are of all positions, those of prompts and padding included, where ours are of
// completion tokens. The running total of tokens is a trainer's.
function metricsOf({ trainer, f64 }: Case): [string, number][] {
  const { metrics } = f64;
  return Object.entries(metrics)
    .filter(([key]) => key !== "num_tokens" && !(trainer === "bco" && key.startsWith("logits/")))
    .map(([key, value]) => {
      const side = /_sum$/.test(key) ? /(chosen|rejected)_sum$/.exec(key)?.[1] : undefined;
      return side ? [key.replace("_sum", ""), value / (metrics[`count/${side}`] as number)] : [key, value];
    });
}

onEachBackend((backend) => {
  const klOf = async (rows: RowsOfFile) => {
    const { reference, ...batch } = asRows(
      logitsOfRows({
        input_ids: rows.KL_input_ids,
        completion_mask: rows.KL_completion_mask,
        policy_logits: rows.KL_policy_logits,
        ref_logits: rows.KL_ref_logits,
      }),
    );
    const { logps: policy } = await backend.sequenceLogps(batch);
    const { logps } = await backend.sequenceLogps({ ...batch, logits: reference.logits });
    return { policy, reference: logps };
  };

  describe.each(layoutNames)("beyond.json, rows of logits, %s", (layout) => {
    it.each(own)("$id", async (golden) => {
      const rows = batches[golden.batch] as RowsOfFile;
      const { f64 } = golden;
      const laidOut = layouts[layout](logitsOfRows(rows));
      const batch: UnpairedLogitsBatch = { ...asRows(laidOut.batch as never), desirable: rows.labels } as never;
      if (golden.loss_type === "kto") batch.kl = await klOf(rows);
      const { vocab, logits, ...rest } = batch;
      const gradient = f64.grad_logits.flat(2);
      const identity = Float32Array.from({ length: vocab * vocab }, (_, i) => Number(i % (vocab + 1) === 0));
      const head = { hidden: logits, weight: identity, vocab, hiddenSize: vocab, ...rest };
      const { reference } = laidOut.batch;
      const through = { ...head, reference: { hidden: reference.logits, weight: identity } };
      const [direct, linear] = [
        await backend.logitsLoss(batch, optionsOf(golden)),
        await backend.linearLoss(through, optionsOf(golden)),
      ];
      for (const [got, grad] of [
        [direct, direct.gradLogits],
        [linear, linear.gradHidden],
      ] as const) {
        expect([
          ...missesNear("loss", [got.loss], [f64.loss], 1e-5),
          ...missesNear("losses", got.losses, f64.per_example, 1e-5),
          ...missesNear(
            "gradient",
            laidOut.unpack(grad as Float32Array, vocab),
            gradient,
            0,
            1e-5 * magnitude(gradient),
          ),
          ...metricsOf(golden).flatMap(([key, want]) =>
            missesNear(key, [got.metrics[key] as number], [want], 1e-5, 2e-6),
          ),
        ]).toEqual([]);
        expect(Object.keys(got)).not.toContain("gradChosen");
      }
    });
  });
});

describe("beyond.json", () => {
  it("has four cases of rows of logits", () =>
    expect(own.map(({ loss_type }) => loss_type)).toEqual(["kto", "kto", "apo_zero_unpaired", "bco"]));
});
