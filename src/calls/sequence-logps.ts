// The call that sees logits and wants their log-probs alone: forward, and nothing after it.

import type { Engine, LogitRows, MaybePromise, TokenSums } from "../engine.ts";
import { hostArrays } from "../inputs/floats.ts";
import { checkLogits, type LogitsJob } from "../inputs/logits.ts";
import type { LogitsBatch, LogpsBuffers, SequenceLogpsOptions, SequenceLogpsResult } from "../types.ts";
import { newPairSums, tailOf } from "./pair-sequences.ts";
import { readSequences } from "./sequences.ts";
import type { Steps } from "./steps.ts";

/** The call `sequenceLogps` of a backend, step by step, once what it was given is read. */
export function* sequenceLogps<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: LogitsBatch,
  options: SequenceLogpsOptions,
): Steps<SequenceLogpsResult, S> {
  const job = checkLogits(hostArrays, batch, options);
  const { list, vocab, logits, transform } = job;
  const { rows, targets, positions } = list;
  const given: LogitRows = { logits, vocab, rows, targets, positions, transform };
  return yield* tokenLogps(job, (sums: TokenSums) => engine.logits.read(given, sums, false), options);
}

/** The rest of the call, once its batch is checked: `read` reads its tokens. */
export function* tokenLogps<S extends MaybePromise>(
  job: Omit<LogitsJob, "logits" | "transform">,
  read: (sums: TokenSums) => S,
  options: SequenceLogpsOptions,
): Steps<SequenceLogpsResult, S> {
  const { list, vocab, ldAlpha } = job;
  const { pairs, rows } = list;
  const sums = newPairSums(list, options.metrics === "full");
  yield read(sums);
  const forward = readSequences(list, vocab, sums, tailOf(list, ldAlpha), { ...options, out: job.out });
  const { logps, tokenLogps, logsumexp } = forward;
  options.onProgress?.(rows.length, rows.length);
  const mean = (from: number): number => logps.subarray(from, from + pairs).reduce((sum, x) => sum + x, 0) / pairs;
  const metrics = { "logps/chosen": mean(0), "logps/rejected": mean(pairs), ...forward.metrics };
  return { logps, tokenLogps, logsumexp, metrics, ...(job.named as LogpsBuffers) } as SequenceLogpsResult;
}
