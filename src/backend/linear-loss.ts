// The call that sees hidden states and a head: log-probs from tiles of logits, the pair stage on B numbers, then gradients
// from the same tiles.

import type { FloatData } from "../floats.ts";
import { checkLinear, type HeadData } from "../linear.ts";
import { planLosses } from "../plan.ts";
import type { TokenList } from "../tokens.ts";
import type { LinearBatch, LinearLossOptions, LinearLossResult, LinearReference } from "../types.ts";
import { type LinearEngine, shardsInOrder } from "./linear-engine.ts";
import type { LinearHead, LinearShards } from "./linear-shards.ts";
import { eachRow, type LogitsEngine, type RowEngine } from "./logits-loss.ts";
import { adapted } from "./lora.ts";
import type { PairEngine } from "./pair-loss.ts";
import { type Later, runNow, type TokenSums, tokenLoss } from "./token-stage.ts";

const none = {};

/** The call `linearLoss` of a backend, step by step; the logits engine is for references given as logits. */
export function* linearLoss(
  engine: LinearEngine,
  logits: LogitsEngine,
  pairs: PairEngine,
  batch: LinearBatch & { reference?: LinearReference | undefined },
  options: LinearLossOptions = none,
): Generator<Later, LinearLossResult> {
  const plan = planLosses(options);
  pairs.check?.(plan);
  const job = checkLinear(batch, plan, options);
  const { list, vocab, reference, gradients, results, accumulate } = job;
  const policy = headOf(job.head, list, vocab);
  const other = reference && "head" in reference ? headOf(reference.head, list, vocab) : undefined;
  engine.reserve(policy);
  if (other) engine.reserve(other);
  const { gradHidden, gradWeight: weight, gradBias: bias, gradA: a, gradB: b } = gradients;
  const hidden = gradHidden as FloatData;
  const given = reference && "logits" in reference ? reference.logits : undefined;
  const { rows, targets, positions } = list;
  const stage = {
    read: (sums: TokenSums) => engine.read(policy, sums),
    readReference: other
      ? (sums: TokenSums) => engine.read(other, sums)
      : given && ((sums: TokenSums) => logits.read({ logits: given, vocab, rows, targets, positions }, sums, false)),
    gradient: (g: Float64Array, sums: TokenSums) =>
      engine.gradient(policy, g, sums, { hidden, weight, bias, a, b, accumulate }),
  };
  const logps = reference && "logps" in reference ? reference.logps : undefined;
  const result = yield* tokenLoss(job, stage, plan, logps, options, pairs);
  return { ...result, ...(results as Pick<LinearLossResult, "gradHidden">) };
}

function headOf(
  { hidden, width, weight, bias, lora }: HeadData,
  { rows, targets }: TokenList,
  vocab: number,
): LinearHead {
  const adapter = lora && { ...lora, u: adapted(hidden, rows, lora.a, lora.rank, lora.scale) };
  return { hidden, rows, targets, width, vocab, weight, bias, lora: adapter };
}

/** `linearLoss` of a backend of this thread. */
export function makeLinearLoss(shards: LinearShards, rows: RowEngine, pairs: PairEngine) {
  const [engine, logits] = [shardsInOrder(shards), eachRow(rows)];
  return (
    batch: LinearBatch & { reference?: LinearReference | undefined },
    options: LinearLossOptions = none,
  ): LinearLossResult => {
    return runNow(linearLoss(engine, logits, pairs, batch, options));
  };
}
