// The calls that see logits, as every backend of this thread does them: log-probs row by row, the pair stage on B numbers,
// then the gradient row by row. Losses of pairs know a row's gradient only once its whole sequence is summed.

import { type FloatData, floatAt } from "../floats.ts";
import { checkLogits, checkLogitsLoss, type LogitsJob, type LogitsLossJob } from "../logits.ts";
import { checkPairs, likelihoodOf } from "../pairs.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { TokenList } from "../tokens.ts";
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
  /** Σ e^(x−max)·(x−max), for the entropy; this and the next two only when asked for. */
  weighted: number;
  /** Σ e^2(x−max), for WPO. */
  squares: number;
  /** Σ x */
  total: number;
}

/** What a backend does with rows of logits; `row` counts rows of `vocab` numbers. */
export interface RowEngine {
  /** `statistics` also fills the last three. The result holds until the next call. */
  read(logits: FloatData, row: number, vocab: number, statistics: boolean): Readonly<RowSums>;
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

/** Reads every row that counts; returns the sums of log-probs per sequence. */
function readRows(
  engine: RowEngine,
  { list, vocab, logits, ldAlpha }: LogitsJob,
  statistics: boolean,
  onToken: (k: number, r: number, sums: Readonly<RowSums>, logp: number) => void,
): Float64Array {
  const logps = new Float64Array(2 * list.pairs);
  eachToken(list, (k, r, full) => {
    const row = list.rows[k] as number;
    const sums = engine.read(logits, row, vocab, statistics);
    // In this order: max + log sum would lose the second where the first is large.
    const logp = floatAt(logits, row * vocab + (list.targets[k] as number)) - sums.max - Math.log(sums.sum);
    // A tail that does not count must not count as 0·∞ either.
    if (full || ldAlpha > 0) logps[r] = (logps[r] as number) + (full ? logp : ldAlpha * logp);
    onToken(k, r, sums, logp);
  });
  return logps;
}

function forward(
  engine: RowEngine,
  job: LogitsJob,
  { out, metrics: wanted, weighting }: SequenceLogpsOptions & { weighting?: unknown },
): Forward {
  const { list, vocab, logits } = job;
  const { pairs, rows, targets, positions, start } = list;
  const statistics = wanted === "full" || weighting !== undefined;
  const tokenLogps = out?.tokenLogps ?? new Float32Array(positions);
  const logsumexp = out?.logsumexp ?? new Float64Array(positions);
  const max = new Float32Array(rows.length);
  const sum = new Float64Array(rows.length);
  const spread = new Float64Array(2 * pairs);
  const tally = { entropy: 0, hits: 0, likelihood: 0, chosenLogits: 0, rejectedLogits: 0 };
  const sequenceSums = readRows(engine, job, statistics, (k, r, sums, logp) => {
    const row = rows[k] as number;
    const id = targets[k] as number;
    const logSum = Math.log(sums.sum);
    max[k] = sums.max;
    sum[k] = sums.sum;
    tokenLogps[row] = logp;
    logsumexp[row] = sums.max + logSum;
    if (r < pairs) {
      tally.likelihood += logp;
      const isMost = floatAt(logits, row * vocab + id) === sums.max;
      if (isMost && isFirst(logits, row * vocab, id)) tally.hits++;
    }
    if (!statistics) return;
    tally.entropy += logSum - sums.weighted / sums.sum;
    spread[r] = (spread[r] as number) + logp - (Math.log(sums.squares) - 2 * logSum);
    tally[r < pairs ? "chosenLogits" : "rejectedLogits"] += sums.total / vocab;
  });
  if (out?.tokenLogps) clearGaps(list, tokenLogps, 1);
  if (out?.logsumexp) clearGaps(list, logsumexp, 1);
  out?.logps?.set(sequenceSums);
  const logps = out?.logps ?? sequenceSums;
  const chosen = start[pairs] as number;
  const perToken = (value: number, tokens: number): number => (tokens > 0 ? value / tokens : 0);
  const metrics: Record<string, number> = { mean_token_accuracy: perToken(tally.hits, chosen) };
  // Measured: these take a fifth more of the forward pass.
  if (wanted === "full") {
    metrics["entropy"] = perToken(tally.entropy, rows.length);
    metrics["logits/chosen"] = perToken(tally.chosenLogits, chosen);
    metrics["logits/rejected"] = perToken(tally.rejectedLogits, rows.length - chosen);
  }
  const weights = wpoWeights(list, spread);
  return { logps, tokenLogps, logsumexp, max, sum, likelihood: tally.likelihood, weights, metrics };
}

// Zeros for the rows that do not count, `width` elements each.
function clearGaps({ rows, positions }: TokenList, data: FloatArray | FloatData["data"], width: number): void {
  let next = 0;
  for (let k = 0; k <= rows.length; k++) {
    const row = k < rows.length ? (rows[k] as number) : positions;
    if (row > next) data.fill(0, next * width, row * width);
    next = row + 1;
  }
}

// WPO: e to the mean over tokens of logp − log Σp², chosen times rejected; a constant for differentiation.
function wpoWeights({ pairs, start }: TokenList, spread: Float64Array): Float64Array {
  const mean = (r: number): number =>
    (spread[r] as number) / Math.max((start[r + 1] as number) - (start[r] as number), 1);
  return Float64Array.from({ length: pairs }, (_, i) => Math.exp(mean(i)) * Math.exp(mean(i + pairs)));
}

// Whether no id before this one has a logit as large: the first index wins ties. Half types compare as bits, zeros as both.
function isFirst({ type, data }: FloatData, from: number, id: number): boolean {
  const before = data.subarray(from, from + id);
  const value = data[from + id] as number;
  const isHalfZero = type !== "f32" && (value & 0x7fff) === 0;
  return !before.includes(value) && !(isHalfZero && before.includes(value ^ 0x8000));
}

function referenceLogps(engine: RowEngine, job: LogitsLossJob): FloatArray | undefined {
  const { reference } = job;
  if (!reference || "logps" in reference) return reference?.logps;
  return readRows(engine, { ...job, logits: reference.logits }, false, () => {});
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
  const { pairs, rows, targets } = list;
  const sums = { max: 0, sum: 0 };
  eachToken(list, (k, r, full) => {
    const row = rows[k] as number;
    const g = (r < pairs ? gradChosen[r] : gradRejected[r - pairs]) as number;
    const ofSequence = full ? g : ldAlpha > 0 ? ldAlpha * g : 0;
    sums.max = max[k] as number;
    sums.sum = sum[k] as number;
    engine.gradient(logits, row, vocab, targets[k] as number, ofSequence + (r < pairs ? slope : 0), sums, gradient);
  });
  if (!fresh) clearGaps(list, gradient.data, vocab);
}
