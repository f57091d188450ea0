// The call that wants the log-probs of sequences alone: forward, and nothing after it.

import type { Engine, MaybePromise, TokenSums } from "../engine.ts";
import { hostArrays } from "../inputs/floats.ts";
import { checkLogps, type LogpsJob, type SequencesRecord } from "../inputs/sequence-logps.ts";
import type { LogpsBuffers, SequenceLogpsOptions, SequenceLogpsResult } from "../types.ts";
import { newPairSums, tailOf } from "./pair-sequences.ts";
import { newSums, readSequences } from "./sequences.ts";
import { openSource } from "./source.ts";
import type { Steps } from "./steps.ts";

/** The call `sequenceLogps` of a backend, step by step, once what it was given is read. */
export function* sequenceLogps<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: SequencesRecord,
  options: SequenceLogpsOptions,
): Steps<SequenceLogpsResult, S> {
  const job = checkLogps(hostArrays, batch, options);
  const source = openSource(engine, job, true);
  return yield* tokenLogps(job, (sums: TokenSums) => source.read(sums, false), options);
}

/** The rest of the call, once its batch is checked: `read` reads its tokens. */
export function* tokenLogps<S extends MaybePromise>(
  job: Omit<LogpsJob, "source" | "transform">,
  read: (sums: TokenSums) => S,
  options: SequenceLogpsOptions,
): Steps<SequenceLogpsResult, S> {
  const { list, vocab, ldAlpha, entropy } = job;
  const { pairs, rows } = list;
  const statistics = entropy || options.metrics === "full";
  const sums = pairs > 0 ? newPairSums(list, statistics) : newSums(list, rows.length, statistics);
  yield read(sums);
  const tail = pairs > 0 ? tailOf(list, ldAlpha) : undefined;
  const forward = readSequences(list, vocab, sums, tail, { ...options, out: job.out });
  const { logps, tokenLogps, logsumexp } = forward;
  options.onProgress?.(rows.length, rows.length);
  const mean = (from: number, to: number): number =>
    logps.subarray(from, to).reduce((sum, x) => sum + x, 0) / (to - from);
  const metrics =
    pairs > 0
      ? { "logps/chosen": mean(0, pairs), "logps/rejected": mean(pairs, 2 * pairs), ...forward.metrics }
      : { "logps/mean": mean(0, logps.length), ...ofRows(forward.metrics) };
  const result = { logps, tokenLogps, logsumexp, ...(entropy && { entropy: forward.entropy }), metrics };
  return { ...result, ...(job.named as LogpsBuffers) } as SequenceLogpsResult;
}

// Sequences that are not pairs are all of one kind.
function ofRows({ "logits/chosen": mean, "logits/rejected": _, ...metrics }: Record<string, number>) {
  return mean === undefined ? metrics : { ...metrics, "logits/mean": mean };
}
