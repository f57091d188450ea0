// The call that sees logits and a reference: log-probs row by row, the pair stage on B numbers, then the gradient row by row.

import { overlap } from "../checks/views.ts";
import type { Engine, LogitRows, MaybePromise, TokenSums } from "../engine.ts";
import { hostArrays } from "../inputs/floats.ts";
import { checkLogitsLoss, type LogitsLossJob, type readLogitsBatch } from "../inputs/logits.ts";
import { referenceArrays } from "../inputs/reference.ts";
import { unitOf } from "../inputs/token-rows.ts";
import { isOwn } from "../losses/own.ts";
import { type Plan, planLosses } from "../plan/plan.ts";
import type { LogitsLossOptions, LogitsLossResult, UnpairedLogitsResult } from "../types.ts";
import type { Steps } from "./steps.ts";
import { referenceReader, tokenLoss } from "./token-loss.ts";

/** The call `logitsLoss` of a backend, step by step, once what it was given is read. */
export function* logitsLoss<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: ReturnType<typeof readLogitsBatch>,
  options: LogitsLossOptions,
): Steps<LogitsLossResult | UnpairedLogitsResult, S> {
  const plan = planLosses(options, unitOf(batch.tokens), true);
  engine.pairs.check?.(plan);
  const job = checkLogitsLoss(hostArrays, batch, plan, options);
  const { list, vocab, logits, transform, gradient: out, gradLogits, fresh } = job;
  const { rows, targets, positions } = job.prompts?.all ?? list;
  const kept = keepsIn(job, plan) ? out : undefined;
  const policy: LogitRows = { logits, vocab, rows, targets, positions, transform, kept };
  const passes = {
    read: (sums: TokenSums) => engine.logits.read(policy, sums, true),
    readReference: referenceReader(engine, job),
    gradient: (g: Float64Array, sums: TokenSums) => engine.logits.gradient(policy, g, sums, { out, clear: !fresh }),
  };
  const result = yield* tokenLoss(engine, job, passes, plan, { ...options, out: job.out });
  return { ...result, ...job.named, gradLogits } as LogitsLossResult | UnpairedLogitsResult;
}

// Whether transformed logits may stand in the gradient's array until it is written: a function of the user's may throw before that,
// and the reference may lie there.
function keepsIn({ gradient, fresh, reference }: LogitsLossJob, plan: Plan): boolean {
  if (gradient.type !== "f32" || !(fresh || plan.terms.every(({ loss }) => !isOwn(loss)))) return false;
  const others = reference && "logps" in reference ? [reference.logps] : Object.values(referenceArrays(reference));
  return !others.some((other) => overlap(gradient.data, ArrayBuffer.isView(other) ? other : other.data));
}
