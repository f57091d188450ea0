// The middle of every call that sees tokens: from what the forward pass leaves of each token to sums, metrics and the pair
// stage on B numbers, and from there to each token's gradient. Losses of pairs know a token's gradient only once its whole
// sequence is summed. Logits and hidden states differ in how tokens are read, and in nothing else.

import { checkPairs, likelihoodOf } from "../inputs/pairs.ts";
import type { TokenList } from "../inputs/tokens.ts";
import { times } from "../losses/factor.ts";
import type { Plan } from "../plan/plan.ts";
import type {
  FloatArray,
  LogitsLossOptions,
  LogpsBuffers,
  PairLossResult,
  SequenceLogpsOptions,
  SequenceLogpsResult,
} from "../types.ts";
import { type PairEngine, runPairs } from "./pair-loss.ts";

/** What the forward pass leaves of each token that counts, in the order of the list. */
export interface TokenSums {
  /** The greatest logit. */
  readonly max: Float64Array;
  /** Σ e^(x−max) */
  readonly sum: Float64Array;
  /** The target's logit. */
  readonly label: Float64Array;
  /** 1 where the target is the first of the greatest; for the chosen completions' tokens. */
  readonly hit: Uint8Array;
  /** Σ e^(x−max)·(x−max), Σ e^2(x−max), Σ x: for entropy, WPO and the mean logit. */
  readonly statistics: { weighted: Float64Array; squares: Float64Array; total: Float64Array } | undefined;
}

/** At once on this thread, a promise where others compute. */
export type Later = void | Promise<void>;

/** How one call reads its tokens, and takes their gradients further. */
export interface TokenStage {
  read(sums: TokenSums): Later;
  /** The reference's tokens; undefined where its log-probs are given, or none are needed. */
  readReference: ((sums: TokenSums) => Later) | undefined;
  /** `g` is dloss / d log p(target) of each token. */
  gradient(g: Float64Array, sums: TokenSums): Later;
}

/** What the token stage needs to know of a checked batch. */
export interface TokenJob {
  readonly list: TokenList;
  /** V */
  readonly vocab: number;
  /** LD-DPO's α; 1 is off. */
  readonly ldAlpha: number;
}

/** A generator's steps, at once. */
export function runNow<T>(steps: Generator<Later, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** A generator's steps, each awaited before the next; `between` is called after each. */
export async function runLater<T>(steps: Generator<Later, T>, between?: () => void): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await value;
    between?.();
  }
}

/** Forward only. */
export function* tokenLogps(
  job: TokenJob,
  stage: Pick<TokenStage, "read">,
  options: SequenceLogpsOptions,
): Generator<Later, SequenceLogpsResult> {
  const sums = newSums(job.list, options.metrics === "full");
  yield stage.read(sums);
  const { logps, tokenLogps, logsumexp, metrics } = tally(job, sums, options);
  const { pairs } = job.list;
  options.onProgress?.(job.list.rows.length, job.list.rows.length);
  const mean = (from: number): number => logps.subarray(from, from + pairs).reduce((sum, x) => sum + x, 0) / pairs;
  return {
    logps,
    tokenLogps,
    logsumexp,
    metrics: { "logps/chosen": mean(0), "logps/rejected": mean(pairs), ...metrics },
  };
}

/** Forward, pair stage, backward. */
export function* tokenLoss(
  job: TokenJob & { readonly wpo: boolean },
  stage: TokenStage,
  plan: Plan,
  reference: FloatArray | undefined,
  options: LogitsLossOptions,
  engine: PairEngine,
): Generator<Later, PairLossResult & SequenceLogpsResult> {
  const { list, ldAlpha, wpo } = job;
  const sums = newSums(list, options.metrics === "full" || wpo);
  yield stage.read(sums);
  const policy = tally(job, sums, options);
  let referenceLogps = reference;
  if (stage.readReference) {
    const referenceSums = newSums(list, false);
    yield stage.readReference(referenceSums);
    referenceLogps = sequenceSums(list, referenceSums, ldAlpha);
  }
  const slope = times(options.gradScale ?? 1, likelihoodSlope(plan, policy, list));
  const { result, commit } = runPairs(engine, pairJob(plan, list, policy, referenceLogps, wpo, options, engine));
  yield stage.gradient(tokenGradients(list, ldAlpha, result, slope), sums);
  commit();
  options.onProgress?.(list.rows.length, list.rows.length);
  const { logps, tokenLogps, logsumexp, metrics } = policy;
  return { ...result, logps, tokenLogps, logsumexp, metrics: { ...result.metrics, ...metrics } };
}

function newSums({ pairs, rows, start }: TokenList, statistics: boolean): TokenSums {
  const make = () => new Float64Array(rows.length);
  return {
    max: make(),
    sum: make(),
    label: make(),
    hit: new Uint8Array(start[pairs] as number),
    statistics: statistics ? { weighted: make(), squares: make(), total: make() } : undefined,
  };
}

/** One token that counts: its place in the list, its sequence, and whether LD-DPO counts it in full. */
type Visit = (k: number, r: number, full: boolean) => void;

function eachToken({ pairs, start }: TokenList, visit: Visit): void {
  for (let r = 0; r < 2 * pairs; r++) {
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const partner = r < pairs ? r + pairs : r - pairs;
    const common = (start[partner + 1] as number) - (start[partner] as number);
    for (let k = from; k < to; k++) visit(k, r, k - from < common);
  }
}

// In this order: max + log sum would lose the second where the first is large.
const logpOf = ({ label, max, sum }: TokenSums, k: number): number =>
  (label[k] as number) - (max[k] as number) - Math.log(sum[k] as number);

function sequenceSums(list: TokenList, sums: TokenSums, ldAlpha: number): Float64Array {
  const logps = new Float64Array(2 * list.pairs);
  eachToken(list, (k, r, full) => {
    // A tail that does not count must not count as 0·∞ either.
    if (full || ldAlpha > 0) logps[r] = (logps[r] as number) + (full ? 1 : ldAlpha) * logpOf(sums, k);
  });
  return logps;
}

/** What the forward pass comes to. */
interface Forward {
  readonly logps: Float64Array;
  readonly tokenLogps: FloatArray;
  readonly logsumexp: FloatArray;
  /** Σ of the chosen completions' token log-probs, whatever their weight. */
  readonly likelihood: number;
  /** WPO's weight of each pair. */
  readonly weights: Float64Array;
  readonly metrics: Record<string, number>;
}

interface ForwardOptions {
  out?: LogpsBuffers | undefined;
  metrics?: "basic" | "full" | undefined;
}

function tally({ list, vocab, ldAlpha }: TokenJob, sums: TokenSums, { out, metrics: wanted }: ForwardOptions): Forward {
  const { pairs, rows, positions, start } = list;
  const { max, sum, hit, statistics } = sums;
  const tokenLogps = out?.tokenLogps ?? new Float32Array(positions);
  const logsumexp = out?.logsumexp ?? new Float64Array(positions);
  const spread = new Float64Array(2 * pairs);
  let [entropy, likelihood, chosenLogits, rejectedLogits] = [0, 0, 0, 0];
  eachToken(list, (k, r) => {
    const row = rows[k] as number;
    const logp = logpOf(sums, k);
    const logSum = Math.log(sum[k] as number);
    tokenLogps[row] = logp;
    logsumexp[row] = (max[k] as number) + logSum;
    if (r < pairs) likelihood += logp;
    if (!statistics) return;
    entropy += logSum - (statistics.weighted[k] as number) / (sum[k] as number);
    spread[r] = (spread[r] as number) + logp - (Math.log(statistics.squares[k] as number) - 2 * logSum);
    const mean = (statistics.total[k] as number) / vocab;
    if (r < pairs) chosenLogits += mean;
    else rejectedLogits += mean;
  });
  if (out?.tokenLogps) clearGaps(rows, 0, positions, tokenLogps, 1);
  if (out?.logsumexp) clearGaps(rows, 0, positions, logsumexp, 1);
  const computed = sequenceSums(list, sums, ldAlpha);
  out?.logps?.set(computed);
  const chosen = start[pairs] as number;
  const perToken = (value: number, tokens: number): number => (tokens > 0 ? value / tokens : 0);
  // A row without a softmax has no most likely id, whatever its greatest logit.
  const hits = hit.reduce((count, one, k) => count + ((sum[k] as number) > 0 ? one : 0), 0);
  const metrics: Record<string, number> = { mean_token_accuracy: perToken(hits, chosen) };
  // Measured: these take two fifths more of the forward pass.
  if (wanted === "full") {
    metrics["entropy"] = perToken(entropy, rows.length);
    metrics["logits/chosen"] = perToken(chosenLogits, chosen);
    metrics["logits/rejected"] = perToken(rejectedLogits, rows.length - chosen);
  }
  return {
    logps: out?.logps ?? computed,
    tokenLogps,
    logsumexp,
    likelihood,
    weights: wpoWeights(list, spread),
    metrics,
  };
}

/** Zeros for those of the rows first .. end−1, of `width` elements, that are not among `rows`. */
export function clearGaps(
  rows: Int32Array,
  first: number,
  end: number,
  data: FloatArray | Uint16Array<ArrayBufferLike>,
  width: number,
): void {
  let next = first;
  for (let k = 0; k <= rows.length; k++) {
    const row = k < rows.length ? (rows[k] as number) : end;
    if (row > next) data.fill(0, next * width, row * width);
    next = row + 1;
  }
}

// Both factors of a pair's weight can switch it off.
const product = (chosen: number, rejected: number): number => (rejected === 0 ? 0 : times(chosen, rejected));

// WPO: e to the mean over tokens of logp − log Σp², chosen times rejected; a constant for differentiation.
function wpoWeights({ pairs, start }: TokenList, spread: Float64Array): Float64Array {
  const mean = (r: number): number =>
    (spread[r] as number) / Math.max((start[r + 1] as number) - (start[r] as number), 1);
  return Float64Array.from({ length: pairs }, (_, i) => product(Math.exp(mean(i)), Math.exp(mean(i + pairs))));
}

// The pair stage: sequence sums stay in float64 until here, so that log-ratios are formed in it.
function pairJob(
  plan: Plan,
  { pairs, lengths, start }: TokenList,
  policy: Forward,
  reference: FloatArray | undefined,
  wpo: boolean,
  { out, gradScale, metrics }: LogitsLossOptions,
  { scan }: PairEngine,
) {
  const half = <A extends FloatArray>(array: A, from: number): A => array.subarray(from, from + pairs) as A;
  const inputs = {
    policyChosen: half(policy.logps, 0),
    policyRejected: half(policy.logps, pairs),
    ...(reference && { referenceChosen: half(reference, 0), referenceRejected: half(reference, pairs) }),
    chosenLengths: half(lengths, 0),
    rejectedLengths: half(lengths, pairs),
    ...(wpo && { pairWeights: policy.weights }),
  };
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = out ?? {};
  const buffers = { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards };
  // The likelihood's slope goes to its tokens, not to the sequences: LD-DPO must not weigh it.
  const tokens = start[pairs] as number;
  const likelihood = (at: number) => [likelihoodOf(plan, at, policy.likelihood, tokens)[0], 0] as const;
  return checkPairs(inputs, plan, { gradScale, metrics, out: buffers }, scan, likelihood);
}

// What the likelihood losses add to the gradient of every chosen token's log-prob.
function likelihoodSlope({ terms }: Plan, { likelihood }: Forward, { pairs, start }: TokenList): number {
  const tokens = start[pairs] as number;
  let slope = 0;
  for (const { loss, weight } of terms)
    if ("likelihood" in loss) slope += times(weight, loss.likelihood(likelihood, tokens)[1]);
  return slope;
}

function tokenGradients(
  list: TokenList,
  ldAlpha: number,
  { gradChosen, gradRejected }: PairLossResult,
  slope: number,
): Float64Array {
  const { pairs, rows } = list;
  const gradients = new Float64Array(rows.length);
  eachToken(list, (k, r, full) => {
    const g = (r < pairs ? gradChosen[r] : gradRejected[r - pairs]) as number;
    const ofSequence = full ? g : ldAlpha > 0 ? ldAlpha * g : 0;
    gradients[k] = ofSequence + (r < pairs ? slope : 0);
  });
  return gradients;
}
