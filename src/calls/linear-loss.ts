// The call that sees hidden states and a head: log-probs from tiles of logits, the pair stage on B numbers, then gradients
// from the same tiles.

import type { Engine, MaybePromise, TokenSums } from "../engine.ts";
import { hostArrays } from "../inputs/floats.ts";
import { checkLinear, type readLinearBatch } from "../inputs/linear.ts";
import { unitOf } from "../inputs/token-rows.ts";
import { planLosses } from "../plan/plan.ts";
import type { LinearLossOptions, LinearLossResult, UnpairedLinearResult } from "../types.ts";
import type { Steps } from "./steps.ts";
import { referenceReader, tokenLoss } from "./token-loss.ts";

/** The call `linearLoss` of a backend, step by step, once what it was given is read. */
export function* linearLoss<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: ReturnType<typeof readLinearBatch>,
  options: LinearLossOptions,
): Steps<LinearLossResult | UnpairedLinearResult, S> {
  const plan = planLosses(options, unitOf(batch.tokens), true);
  engine.pairs.check?.(plan);
  const job = checkLinear(hostArrays, batch, plan, options);
  const { list, vocab, results } = job;
  const policy = engine.head.open(job.head, job.prompts?.all ?? list, vocab);
  const passes = {
    read: (sums: TokenSums) => engine.head.read(policy, sums, true, options.keep),
    readReference: referenceReader(engine, job),
    gradient: (g: Float64Array, sums: TokenSums) => engine.head.gradient(policy, g, sums, job.places),
  };
  const result = yield* tokenLoss(engine, job, passes, plan, { ...options, out: job.out });
  return { ...result, ...job.named, ...results } as LinearLossResult | UnpairedLinearResult;
}
