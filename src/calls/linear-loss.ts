// The call that sees hidden states and a head: log-probs from tiles of logits, the pair stage on B numbers, then gradients
// from the same tiles.

import { shardsInOrder } from "../cpu/head.ts";
import type { LinearShards } from "../cpu/head-shards.ts";
import type { FloatData } from "../inputs/floats.ts";
import { checkLinear, readLinearBatch } from "../inputs/linear.ts";
import { readLossOptions } from "../inputs/options.ts";
import { planLosses } from "../plan/plan.ts";
import type { LinearBatch, LinearLossOptions, LinearLossResult, Reference } from "../types.ts";
import { eachRow, type RowEngine } from "./logits-loss.ts";
import type { PairEngine } from "./pair-loss.ts";
import { referenceReader, type TokenEngines } from "./read-reference.ts";
import { type Later, runNow, type TokenSums, tokenLoss } from "./token-stage.ts";

const none = {};

/** The call `linearLoss` of a backend, step by step. */
export function* linearLoss<H>(
  engines: TokenEngines<H>,
  pairs: PairEngine,
  batch: LinearBatch & { reference?: Reference | undefined },
  given: LinearLossOptions = none,
): Generator<Later, LinearLossResult> {
  const options = readLossOptions(given);
  const plan = planLosses(options);
  pairs.check?.(plan);
  const job = checkLinear(readLinearBatch(batch), plan, options);
  const { list, vocab, reference, gradients, results, accumulate } = job;
  const { linear } = engines;
  const policy = linear.open(job.head, list, vocab);
  const { gradHidden, gradWeight: weight, gradBias: bias, gradA: a, gradB: b } = gradients;
  const out = { hidden: gradHidden as FloatData, weight, bias, a, b, accumulate };
  const stage = {
    read: (sums: TokenSums) => linear.read(policy, sums, true),
    readReference: referenceReader(engines, reference, list, vocab),
    gradient: (g: Float64Array, sums: TokenSums) => linear.gradient(policy, g, sums, out),
  };
  const logps = reference && "logps" in reference ? reference.logps : undefined;
  const result = yield* tokenLoss(job, stage, plan, logps, { ...options, out: job.out }, pairs);
  return { ...result, ...job.named, ...results } as LinearLossResult;
}

/** `linearLoss` of a backend of this thread. */
export function makeLinearLoss(rows: RowEngine, shards: LinearShards, pairs: PairEngine) {
  const engines = { logits: eachRow(rows), linear: shardsInOrder(shards) };
  return (
    batch: LinearBatch & { reference?: Reference | undefined },
    options: LinearLossOptions = none,
  ): LinearLossResult => {
    return runNow(linearLoss(engines, pairs, batch, options));
  };
}
