// The way back from log-probs of sequences and tokens and from entropies, of any function of them: the primitive under all losses
// of tokens. Forward again, then each token's gradient.

import type { Engine, EntropySlopes, MaybePromise, TokenSums } from "../engine.ts";
import { type AnyFloats, hostArrays } from "../inputs/floats.ts";
import { checkLogpsGrad, type GradJob, type GradRecord } from "../inputs/sequence-logps-grad.ts";
import { times } from "../losses/factor.ts";
import type { SequenceLogpsGradOptions, SequenceLogpsGradResult } from "../types.ts";
import { tailOf } from "./pair-sequences.ts";
import { eachToken, newSums } from "./sequences.ts";
import { openSource, type SourceGradients } from "./source.ts";
import type { Steps } from "./steps.ts";

/** The call `sequenceLogpsGrad` of a backend, step by step, once what it was given is read. */
export function* sequenceLogpsGrad<H, S extends MaybePromise>(
  engine: Engine<H, S>,
  batch: GradRecord,
  options: SequenceLogpsGradOptions,
): Steps<SequenceLogpsGradResult, S> {
  const job = checkLogpsGrad(hostArrays, batch, options);
  // What the call is given of gradients is read before it goes forward.
  const place = job.ofLogits?.gradient;
  const source = openSource(engine, job, false, place?.type === "f32" ? place : undefined);
  const passes = {
    read: (sums: TokenSums) => source.read(sums, true, options.keep),
    gradient: (g: Float64Array, sums: TokenSums, entropy: EntropySlopes | undefined) =>
      source.gradient(g, sums, sourcePlaces(job), entropy),
  };
  yield* tokenGradients(job, passes, options);
  return gradientsOf(job);
}

/** How the tokens of one call are read, and how their gradients are taken further. */
export interface GradPasses<S extends MaybePromise> {
  read(sums: TokenSums): S;
  gradient(g: Float64Array, sums: TokenSums, entropy: EntropySlopes | undefined): S;
}

/** The rest of the call, once its batch is checked. */
export function* tokenGradients<S extends MaybePromise>(
  job: Pick<GradJob<AnyFloats>, "list" | "ldAlpha" | "gradients">,
  passes: GradPasses<S>,
  options: Omit<SequenceLogpsGradOptions, "out">,
): Steps<void, S> {
  const { list } = job;
  const { g, h } = slopesOf(job, options.gradScale ?? 1);
  const sums = newSums(list, 0, h !== undefined);
  yield passes.read(sums);
  const { sum, statistics } = sums;
  const mean = statistics?.weighted.map((weighted, k) => weighted / (sum[k] as number));
  yield passes.gradient(g, sums, h && mean && { h, mean });
  options.onProgress?.(list.rows.length, list.rows.length);
}

/** The gradients of a call, by name. */
export const gradientsOf = ({ ofHead, ofLogits }: GradJob<AnyFloats>): SequenceLogpsGradResult =>
  (ofHead ? ofHead.results : { gradLogits: ofLogits?.gradLogits }) as SequenceLogpsGradResult;

/** dL / d log-prob and dL / d entropy of each token. What stands where nothing counts is not looked at. */
export function slopesOf(
  { list, ldAlpha, gradients }: Pick<GradJob<AnyFloats>, "list" | "ldAlpha" | "gradients">,
  scale: number,
): { g: Float64Array; h: Float64Array | undefined } {
  const { logps, tokenLogps, entropy } = gradients;
  const { places } = list;
  const g = new Float64Array(places.length);
  const h = entropy && new Float64Array(places.length);
  eachToken(list, list.pairs > 0 ? tailOf(list, ldAlpha) : undefined, (k, r, factor) => {
    const place = places[k] as number;
    const ofSequence = logps ? times(factor, logps[r] as number) : 0;
    g[k] = times(scale, ofSequence + (tokenLogps?.[place] ?? 0));
    if (h) h[k] = times(scale, entropy?.[place] as number);
  });
  return { g, h };
}

function sourcePlaces({ ofLogits, ofHead }: GradJob): SourceGradients {
  if (ofLogits) return { rows: { out: ofLogits.gradient, clear: !ofLogits.fresh } };
  return { head: (ofHead as NonNullable<typeof ofHead>).places };
}
