// The call that sees logits and a reference: log-probs row by row, the pair stage on B numbers, then the gradient row by row.

import type { Engine, LogitRows, MaybePromise, TokenSums } from "../engine.ts";
import { hostArrays } from "../inputs/floats.ts";
import { checkLogitsLoss } from "../inputs/logits.ts";
import { planLosses } from "../plan/plan.ts";
import type { LogitsBatch, LogitsLossOptions, LogitsLossResult, Reference } from "../types.ts";
import type { Steps } from "./steps.ts";
import { referenceReader, tokenLoss } from "./token-loss.ts";

/** The call `logitsLoss` of a backend, step by step, once what it was given is read. */
export function* logitsLoss<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: LogitsBatch & { reference?: Reference | undefined },
  options: LogitsLossOptions,
): Steps<LogitsLossResult, S> {
  const plan = planLosses(options);
  engine.pairs.check?.(plan);
  const job = checkLogitsLoss(hostArrays, batch, plan, options);
  const { list, vocab, logits, transform, gradient: out, gradLogits, fresh } = job;
  const { rows, targets, positions } = list;
  const policy: LogitRows = { logits, vocab, rows, targets, positions, transform };
  const passes = {
    read: (sums: TokenSums) => engine.logits.read(policy, sums, true),
    readReference: referenceReader(engine, job),
    gradient: (g: Float64Array, sums: TokenSums) => engine.logits.gradient(policy, g, sums, { out, clear: !fresh }),
  };
  const result = yield* tokenLoss(engine, job, passes, plan, { ...options, out: job.out });
  return { ...result, ...job.named, gradLogits } as LogitsLossResult;
}
