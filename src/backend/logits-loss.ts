// The calls that see logits, as every backend of this thread does them: log-probs row by row, the pair stage on B numbers,
// then the gradient row by row. Losses of pairs know a row's gradient only once its whole sequence is summed.

import { type FloatData, floatAt } from "../floats.ts";
import { checkLogits, checkLogitsLoss, type LogitsJob, type LogitsLossJob } from "../logits.ts";
import { checkPairs, likelihoodOf } from "../pairs.ts";
import { type Plan, planLosses } from "../plan.ts";
import type {
  FloatArray,
  LogitsBatch,
  LogitsLossOptions,
  LogitsLossResult,
  Reference,
  SequenceLogpsOptions,
  SequenceLogpsResult,
} from "../types.ts";
import { type PairEngine, runPairs } from "./pair-loss.ts";

/** What one row of logits comes to. */
export interface RowSums {
  max: number;
  /** Σ e^(x−max) */
  sum: number;
  /** Σ e^(x−max)·(x−max), for the entropy. */
  weighted: number;
  /** Σ e^2(x−max), for WPO. */
  squares: number;
  /** Σ x */
  total: number;
}

/** What a backend does with rows of logits; `row` counts rows of `vocab` numbers. */
export interface RowEngine {
  /** `full` also fills `squares` and `total`. The result holds until the next call. */
  read(logits: FloatData, row: number, vocab: number, full: boolean): Readonly<RowSums>;
  /** Writes g·(1[v = id] − e^(x−max)/sum) for the row; `out` may be `logits`. */
  gradient(logits: FloatData, row: number, vocab: number, id: number, g: number, sums: RowPair, out: FloatData): void;
}

/** What the backward pass keeps of a row. */
export interface RowPair {
  readonly max: number;
  readonly sum: number;
}

/** What the forward pass leaves: sums per sequence, maximum and sum per token, metrics. */
interface Forward {
  readonly logps: Float64Array;
  readonly tokenLogps: FloatArray;
  readonly logsumexp: FloatArray;
  readonly max: Float32Array;
  readonly sum: Float64Array;
  /** Σ of the chosen completions' token log-probs, whatever their weight. */
  readonly likelihood: number;
  /** WPO's weight of each pair. */
  readonly weights: Float64Array;
  readonly metrics: Record<string, number>;
}

const none = {};

/** The call `sequenceLogps` of a backend. */
export function makeSequenceLogps(engine: RowEngine) {
  return (batch: LogitsBatch, options: SequenceLogpsOptions = none): SequenceLogpsResult => {
    const job = checkLogits(batch, options);
    const { logps, tokenLogps, logsumexp, metrics } = forward(engine, job, options);
    const { pairs, rows } = job.list;
    options.onProgress?.(rows.length, rows.length);
    const mean = (from: number): number => logps.subarray(from, from + pairs).reduce((sum, x) => sum + x, 0) / pairs;
    return {
      logps,
      tokenLogps,
      logsumexp,
      metrics: { "logps/chosen": mean(0), "logps/rejected": mean(pairs), ...metrics },
    };
  };
}

/** The call `logitsLoss` of a backend. */
export function makeLogitsLoss(engine: RowEngine, pairEngine: PairEngine) {
  return (
    batch: LogitsBatch & { reference?: Reference | undefined },
    options: LogitsLossOptions = none,
  ): LogitsLossResult => {
    const plan = planLosses(options);
    pairEngine.check?.(plan);
    const job = checkLogitsLoss(batch, plan, options);
    const { list, gradLogits } = job;
    const policy = forward(engine, job, options);
    const reference = referenceLogps(engine, job);
    const slope = likelihoodSlope(plan, policy, job) * (options.gradScale ?? 1);
    const { result, commit } = runPairs(pairEngine, pairJob(plan, job, policy, reference, options, pairEngine));
    backward(engine, job, policy, result.gradChosen, result.gradRejected, slope);
    commit();
    options.onProgress?.(list.rows.length, list.rows.length);
    const { logps, tokenLogps, logsumexp, metrics } = policy;
    return { ...result, logps, tokenLogps, logsumexp, gradLogits, metrics: { ...result.metrics, ...metrics } };
  };
}

function forward(
  engine: RowEngine,
  { list, vocab, logits, ldAlpha }: LogitsJob,
  options: SequenceLogpsOptions & { weighting?: unknown },
): Forward {
  const { pairs, start, rows, targets, positions } = list;
  const { out } = options;
  const full = options.metrics === "full" || options.weighting !== undefined;
  const logps = out?.logps ?? new Float64Array(2 * pairs);
  const tokenLogps = out?.tokenLogps ?? new Float32Array(positions);
  const logsumexp = out?.logsumexp ?? new Float64Array(positions);
  if (out?.tokenLogps) tokenLogps.fill(0);
  if (out?.logsumexp) logsumexp.fill(0);
  const max = new Float32Array(rows.length);
  const sum = new Float64Array(rows.length);
  const weights = new Float64Array(pairs).fill(1);
  const means = [0, 0];
  let [entropy, hits, likelihood] = [0, 0, 0];
  for (let r = 0; r < 2 * pairs; r++) {
    const chosen = r < pairs;
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const partner = chosen ? r + pairs : r - pairs;
    const common = Math.min(to - from, (start[partner + 1] as number) - (start[partner] as number));
    let [logp, spread] = [0, 0];
    for (let k = from; k < to; k++) {
      const [row, id] = [rows[k] as number, targets[k] as number];
      const sums = engine.read(logits, row, vocab, full);
      const label = floatAt(logits, row * vocab + id);
      const lse = sums.max + Math.log(sums.sum);
      const token = label - lse;
      max[k] = sums.max;
      sum[k] = sums.sum;
      tokenLogps[row] = token;
      logsumexp[row] = lse;
      // A tail that does not count must not count as 0·∞ either.
      if (k - from < common) logp += token;
      else if (ldAlpha > 0) logp += ldAlpha * token;
      entropy += Math.log(sums.sum) - sums.weighted / sums.sum;
      if (chosen) likelihood += token;
      if (chosen && label === sums.max && isFirst(logits, row * vocab, id)) hits++;
      if (!full) continue;
      spread += token - (Math.log(sums.squares) - 2 * Math.log(sums.sum));
      means[chosen ? 0 : 1] = (means[chosen ? 0 : 1] as number) + sums.total / vocab;
    }
    logps[r] = logp;
    const pair = chosen ? r : r - pairs;
    if (full) weights[pair] = (weights[pair] as number) * Math.exp(spread / Math.max(to - from, 1));
  }
  const [ofChosen, ofAll] = [start[pairs] as number, rows.length];
  const perToken = (value: number, tokens: number): number => (tokens > 0 ? value / tokens : 0);
  const metrics: Record<string, number> = {
    entropy: perToken(entropy, ofAll),
    mean_token_accuracy: perToken(hits, ofChosen),
  };
  if (options.metrics === "full") {
    metrics["logits/chosen"] = perToken(means[0] as number, ofChosen);
    metrics["logits/rejected"] = perToken(means[1] as number, ofAll - ofChosen);
  }
  return { logps, tokenLogps, logsumexp, max, sum, likelihood, weights, metrics };
}

// Whether no id before this one has a logit as large: the first index wins ties. Half types compare as bits, zeros as both.
function isFirst({ type, data }: FloatData, from: number, id: number): boolean {
  const before = data.subarray(from, from + id);
  const value = data[from + id] as number;
  const isHalfZero = type !== "f32" && (value & 0x7fff) === 0;
  return !before.includes(value) && !(isHalfZero && before.includes(value ^ 0x8000));
}

function referenceLogps(engine: RowEngine, { list, vocab, reference, ldAlpha }: LogitsLossJob): FloatArray | undefined {
  if (!reference || "logps" in reference) return reference?.logps;
  return forward(engine, { list, vocab, logits: reference.logits, ldAlpha }, none).logps;
}

// The pair stage: sequence sums stay in float64 until here, so that log-ratios are formed in it.
function pairJob(
  plan: Plan,
  { list, wpo }: LogitsLossJob,
  policy: Forward,
  reference: FloatArray | undefined,
  { out, gradScale, metrics }: LogitsLossOptions,
  { scan }: PairEngine,
) {
  const { pairs, lengths } = list;
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
  const tokens = list.start[pairs] as number;
  const likelihood = (at: number) => [likelihoodOf(plan, at, policy.likelihood, tokens)[0], 0] as const;
  return checkPairs(inputs, plan, { gradScale, metrics, out: buffers }, scan, likelihood);
}

// What the likelihood losses add to the gradient of every chosen token's log-prob.
function likelihoodSlope({ terms }: Plan, { likelihood }: Forward, { list }: LogitsLossJob): number {
  const tokens = list.start[list.pairs] as number;
  let slope = 0;
  for (const { loss, weight } of terms)
    if ("likelihood" in loss) slope += weight * loss.likelihood(likelihood, tokens)[1];
  return slope;
}

function backward(
  engine: RowEngine,
  { list, vocab, logits, ldAlpha, gradient, fresh }: LogitsLossJob,
  { max, sum }: Forward,
  gradChosen: Float32Array<ArrayBufferLike>,
  gradRejected: Float32Array<ArrayBufferLike>,
  slope: number,
): void {
  const { pairs, start, rows, targets, positions } = list;
  const pair = { max: 0, sum: 0 };
  let next = 0;
  const clearTo = (row: number): void => {
    if (!fresh && row > next) gradient.data.fill(0, next * vocab, row * vocab);
    next = row + 1;
  };
  for (let r = 0; r < 2 * pairs; r++) {
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const partner = r < pairs ? r + pairs : r - pairs;
    const common = Math.min(to - from, (start[partner + 1] as number) - (start[partner] as number));
    const g = (r < pairs ? gradChosen[r] : gradRejected[r - pairs]) as number;
    for (let k = from; k < to; k++) {
      const row = rows[k] as number;
      clearTo(row);
      const weighted = k - from < common ? g : ldAlpha > 0 ? ldAlpha * g : 0;
      pair.max = max[k] as number;
      pair.sum = sum[k] as number;
      const coefficient = r < pairs ? weighted + slope : weighted;
      engine.gradient(logits, row, vocab, targets[k] as number, coefficient, pair, gradient);
    }
  }
  clearTo(positions);
}
