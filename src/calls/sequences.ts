// From what the forward pass leaves of each token to log-probs of tokens and sequences, and back to each token's gradient.
// Sequences are all there is here: that two of them make a pair is the business of src/calls/pair-sequences.ts.

import type { TokenSums } from "../engine.ts";
import { clearGaps, type TokenList } from "../inputs/tokens.ts";
import type { FloatArray, LogpsBuffers } from "../types.ts";

/** Tokens that count less than the others of their sequence: those after its first `full[r]` count `alpha`. */
export interface Tail {
  readonly full: Int32Array;
  readonly alpha: number;
}

/** Room for the sums of the tokens; for the first `graded` of them it is noted whether the most likely id is the target. */
export function newSums({ rows }: TokenList, graded: number, statistics: boolean): TokenSums {
  const make = () => new Float64Array(rows.length);
  return {
    max: make(),
    sum: make(),
    label: make(),
    hit: new Uint8Array(graded),
    statistics: statistics ? { weighted: make(), squares: make(), total: make() } : undefined,
  };
}

/** Calls `visit` with each token that counts: its place in the list, its sequence, and what it counts there. */
export function eachToken(
  { start }: TokenList,
  tail: Tail | undefined,
  visit: (k: number, r: number, factor: number) => void,
): void {
  for (let r = 0; r + 1 < start.length; r++) {
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const full = tail ? (tail.full[r] as number) : to - from;
    for (let k = from; k < to; k++) visit(k, r, k - from < full ? 1 : (tail?.alpha ?? 1));
  }
}

// In this order: max + log sum would lose the second where the first is large.
export const logpOf = ({ label, max, sum }: TokenSums, k: number): number =>
  (label[k] as number) - (max[k] as number) - Math.log(sum[k] as number);

/** The log-prob of each sequence: the sum over its tokens. */
export function sequenceSums(list: TokenList, sums: TokenSums, tail: Tail | undefined): Float64Array {
  const logps = new Float64Array(list.start.length - 1);
  eachToken(list, tail, (k, r, factor) => {
    // A tail that does not count must not count as 0·∞ either.
    if (factor !== 0) logps[r] = (logps[r] as number) + factor * logpOf(sums, k);
  });
  return logps;
}

/** What the forward pass comes to. */
export interface Forward {
  readonly logps: Float64Array;
  readonly tokenLogps: FloatArray;
  readonly logsumexp: FloatArray;
  /** Of each token, in their layout, where it is wanted. */
  readonly entropy: Float32Array<ArrayBufferLike> | undefined;
  /** Σ of the log-probs of the tokens that are graded, whatever they count in their sequence. */
  readonly likelihood: number;
  /** Σ over a sequence's tokens of logp − log Σp², with statistics: what WPO's weights are made of. */
  readonly spread: Float64Array;
  /** Of the graded tokens, and of all of them; "logits/*" of the graded ones and of the others. */
  readonly metrics: Record<string, number>;
}

interface ForwardOptions {
  readonly out?: LogpsBuffers | undefined;
  readonly metrics?: "basic" | "full" | undefined;
  /** Whether the entropy of each token is wanted; with statistics. */
  readonly entropy?: boolean | undefined;
  /** Of rows, which of them are: the chosen ones of "logits/*". */
  readonly desirable?: Uint8Array<ArrayBufferLike> | undefined;
}

/** Log-probs and metrics, in the buffers of `out` where it names them. */
export function readSequences(
  list: TokenList,
  vocab: number,
  sums: TokenSums,
  tail: Tail | undefined,
  { out, metrics: wanted, entropy: each = false, desirable }: ForwardOptions,
): Forward {
  const { places, size, start } = list;
  const { max, sum, hit, statistics } = sums;
  const graded = hit.length;
  const tokenLogps = out?.tokenLogps ?? new Float32Array(size);
  const logsumexp = out?.logsumexp ?? new Float64Array(size);
  const entropies = each ? (out?.entropy ?? new Float32Array(size)) : undefined;
  const spread = new Float64Array(start.length - 1);
  let [entropy, likelihood, chosen, chosenLogits, rejectedLogits] = [0, 0, 0, 0, 0];
  eachToken(list, undefined, (k, r) => {
    const place = places[k] as number;
    const logp = logpOf(sums, k);
    const logSum = Math.log(sum[k] as number);
    tokenLogps[place] = logp;
    logsumexp[place] = (max[k] as number) + logSum;
    if (k < graded) likelihood += logp;
    if (!statistics) return;
    const own = logSum - (statistics.weighted[k] as number) / (sum[k] as number);
    if (entropies) entropies[place] = own;
    entropy += own;
    spread[r] = (spread[r] as number) + logp - (Math.log(statistics.squares[k] as number) - 2 * logSum);
    const mean = (statistics.total[k] as number) / vocab;
    if (desirable ? desirable[r] === 1 : k < graded) {
      chosenLogits += mean;
      chosen++;
    } else rejectedLogits += mean;
  });
  if (out?.tokenLogps) clearGaps(places, 0, size, tokenLogps, 1);
  if (out?.logsumexp) clearGaps(places, 0, size, logsumexp, 1);
  if (entropies && out?.entropy) clearGaps(places, 0, size, entropies, 1);
  const computed = sequenceSums(list, sums, tail);
  out?.logps?.set(computed);
  const perToken = (value: number, tokens: number): number => (tokens > 0 ? value / tokens : 0);
  // A row without a softmax has no most likely id, whatever its greatest logit.
  const hits = hit.reduce((count, one, k) => count + ((sum[k] as number) > 0 ? one : 0), 0);
  const metrics: Record<string, number> = { mean_token_accuracy: perToken(hits, graded) };
  // measured: these take two fifths more of the forward pass.
  if (wanted === "full") {
    metrics["entropy"] = perToken(entropy, places.length);
    metrics["logits/chosen"] = perToken(chosenLogits, chosen);
    metrics["logits/rejected"] = perToken(rejectedLogits, places.length - chosen);
    // A label that does not occur has no mean.
    if (desirable && !desirable.includes(1)) delete metrics["logits/chosen"];
    if (desirable && !desirable.includes(0)) delete metrics["logits/rejected"];
  }
  return { logps: out?.logps ?? computed, tokenLogps, logsumexp, entropy: entropies, likelihood, spread, metrics };
}
