// What a call with tokens records: forward, pair stage, backward, in one submission. Its results stay on the GPU, or what comes of
// tokens is read back. Twin of src/calls/token-loss.ts.

import { lengthsOf } from "../../calls/pair-sequences.ts";
import type { TokenPasses } from "../../calls/token-loss.ts";
import type { EntropySlopes, TokenSums } from "../../engine.ts";
import type { OwnColumns } from "../../inputs/own-columns.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import { times } from "../../losses/factor.ts";
import type { PairColumn } from "../../losses/kinds.ts";
import type { Plan, Term } from "../../plan/plan.ts";
import type { Commands, Range } from "./commands.ts";
import { METRICS_BYTES, type Outputs, pairRanges } from "./outputs.ts";
import { behindLogps, RESULTS } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import {
  type BatchParams,
  recordPairStage,
  recordReference,
  recordSequences,
  recordTokens,
  type TokenJob,
  uploadLayout,
  uploadParams,
} from "./sequences.ts";
import { givenSlopesWgsl, logpsWgsl, sequenceMetricsWgsl, tokenGradientsWgsl } from "./sequences.wgsl.ts";
import { type Gpu, submit, submitLater } from "./submit.ts";
import type { LossJob } from "./token-jobs.ts";
import { packEntropies, packGiven, packSlopes, packTokens, type TokenSource, unpackSums } from "./token-source.ts";
import { type GpuPairLossResult, type GpuRange, type GpuSequenceLogpsResult, gpuMetrics } from "./types.ts";

type Resident<T> = Omit<T, "destroy">;

const paramsOf = ({ list, vocab, ldAlpha, statistics, each = false }: TokenJob): BatchParams => ({
  pairs: list.pairs,
  sequences: list.start.length - 1,
  tokens: list.rows.length,
  vocab,
  statistics,
  alpha: ldAlpha,
  slope: 0,
  wpo: false,
  offset: list.size,
  each,
});

const perTokenRanges = ({ buffer }: GpuRange, { size: count }: TokenList) => ({
  tokenLogps: { buffer, offset: 0, size: 4 * count },
  logsumexp: { buffer, offset: 4 * count, size: 4 * count },
});

const none: OwnColumns = {};

// What the pair stage reads of each pair beside log-probs: 1 where there is none of it.
function uploadColumns(commands: Commands, plan: Plan, list: TokenList, own = none): Range {
  const { pairs } = list;
  const lengths = lengthsOf(plan, list);
  const all: { [Name in PairColumn]?: ArrayLike<number> | undefined } = {
    ...own,
    chosenLengths: lengths.subarray(0, pairs),
    rejectedLengths: lengths.subarray(pairs),
  };
  const packed = new Float32Array(behindLogps.length * pairs).fill(1);
  behindLogps.forEach(({ name }, k) => {
    packed.set(all[name] ?? [], k * pairs);
  });
  return commands.upload(packed);
}

/** Log-probs, with `each` entropies too, that stay on the GPU; `plan` is that of a loss without a reference. */
export function residentLogps(gpu: Gpu, job: TokenJob, plan: Plan, outputs: Outputs): Resident<GpuSequenceLogpsResult> {
  const { list, policy } = job;
  const { pairs } = list;
  const sequenceCount = list.start.length - 1;
  const perToken = outputs.make((job.each ? 12 : 8) * list.size);
  const metrics = outputs.make(METRICS_BYTES);
  const logps = outputs.make(4 * sequenceCount);
  const params = paramsOf(job);
  const done = submitLater(gpu, (commands) => {
    const layout = uploadLayout(commands, list);
    const sums = policy.forward(commands, recordTokens(commands, policy, job, metrics), job.statistics);
    const sequences = recordSequences(commands, layout, params, sums, perToken);
    if (pairs === 0) {
      const shared = uploadParams(commands, params);
      commands.run(logpsWgsl, groupsOf(sequenceCount), shared, sequences, logps);
      commands.run(sequenceMetricsWgsl, 1, shared, sequences, layout.start, metrics);
      return;
    }
    // The inputs of the pair stage hold the log-probs in the order of the result.
    const stage = {
      plan,
      params,
      scale: 1 / pairs,
      likelihood: () => [0, 0, 0] as const,
      columns: uploadColumns(commands, plan, list),
      policy: sequences,
      reference: sequences,
      start: layout.start,
    };
    const { inputs } = recordPairStage(commands, stage, metrics);
    commands.copy({ ...inputs, offset: 8 * pairs, size: 8 * pairs }, logps);
    // There is no loss, and there are no rewards.
    commands.clear({ ...metrics, size: 4 * gpuMetrics.indexOf("logps/chosen") });
  });
  const entropy = job.each && { entropy: { buffer: perToken.buffer, offset: 8 * list.size, size: 4 * list.size } };
  return { logps, ...perTokenRanges(perToken, list), ...entropy, metrics, done };
}

/** The gradients of any function of log-probs and entropies, `g` and `h` of each token, that stay on the GPU. */
export function residentGradients(
  gpu: Gpu,
  job: Pick<TokenJob, "list" | "vocab" | "ids" | "policy">,
  { g, h }: { readonly g: Float64Array; readonly h: Float64Array | undefined },
  outputs: Outputs,
): Pick<Resident<GpuSequenceLogpsResult>, "metrics" | "done"> {
  const { list, policy } = job;
  const metrics = outputs.make(METRICS_BYTES);
  const done = submitLater(gpu, (commands) => {
    const tokens = recordTokens(commands, policy, job, metrics);
    const sums = policy.forward(commands, tokens, h !== undefined);
    const given = commands.upload(packGiven(g, h));
    const slopes = commands.scratch(16 * Math.max(policy.size, 1));
    const entropies = h && commands.scratch(8 * Math.max(policy.size, 1));
    commands.clear(slopes);
    if (entropies) commands.clear(entropies);
    const count = commands.upload(Uint32Array.of(list.rows.length));
    const groups = groupsOf(list.rows.length);
    const into = entropies ? [slopes, entropies] : [slopes];
    commands.run(givenSlopesWgsl(h !== undefined), groups, count, tokens, given, sums, ...into);
    policy.backward(commands, slopes, entropies);
  });
  return { metrics, done };
}

/** Where the small results of a loss go. */
interface LossRanges {
  /** Log-probs and log-sum-exps of tokens. */
  readonly perToken: Range;
  readonly metrics: Range;
  /** Losses, both gradients and rewards of pairs, log-probs of sequences. */
  readonly results: Range;
}

const bytesOfLoss = ({ pairs, size }: TokenList): { [Name in keyof LossRanges]: number } => ({
  perToken: 8 * size,
  metrics: METRICS_BYTES,
  results: 4 * (RESULTS + 2) * pairs,
});

/** The sums of the policy's tokens, and of the reference's. */
interface LossSums {
  readonly policy: Range;
  readonly reference: Range | undefined;
}

/** Records forward, pair stage, backward; the policy's source knows where gradients go. */
function recordLoss(commands: Commands, job: LossJob, { perToken, metrics, results }: LossRanges): LossSums {
  const { list, plan, gradScale, policy } = job;
  const { pairs } = list;
  const chosenTokens = list.start[pairs] as number;
  const slopeOf = ({ loss }: Term): number => (loss.kind === "likelihood" ? loss.formula(0, chosenTokens)[1] : 0);
  const likelihoods = plan.terms.reduce((sum, term) => sum + times(term.weight, slopeOf(term)), 0);
  const slope = times(gradScale, likelihoods);
  const params = { ...paramsOf(job), slope, wpo: job.wpo };
  const layout = uploadLayout(commands, list);
  const tokens = recordTokens(commands, policy, job, metrics);
  const sums = policy.forward(commands, tokens, job.statistics);
  const reference = recordReference(commands, job, layout, params, metrics);
  const stage = {
    plan,
    params,
    scale: gradScale / pairs,
    likelihood: (at: number) => {
      const loss = plan.terms[at]?.loss;
      const perSum = loss?.kind === "likelihood" ? loss.formula(1, chosenTokens)[0] : 0;
      return [0, 0, perSum] as const;
    },
    columns: uploadColumns(commands, plan, list, job.columns),
    policy: recordSequences(commands, layout, params, sums, perToken),
    reference: reference.sequences,
    start: layout.start,
  };
  const pairStage = recordPairStage(commands, stage, metrics);
  const { buffer } = results;
  const own = 4 * RESULTS * pairs;
  commands.copy({ ...pairStage.results, size: own }, { buffer, offset: 0, size: own });
  commands.copy({ ...pairStage.inputs, offset: 8 * pairs, size: 8 * pairs }, { buffer, offset: own, size: 8 * pairs });
  const slopes = commands.scratch(16 * Math.max(policy.size, 1));
  commands.clear(slopes);
  const owners = commands.upload(ownersOf(list));
  const shared = uploadParams(commands, params);
  const groups = groupsOf(list.rows.length);
  commands.run(tokenGradientsWgsl, groups, shared, tokens, owners, sums, pairStage.results, slopes);
  policy.backward(commands, slopes);
  return { policy: sums, reference: reference.sums };
}

/** Of each token its sequence · 2, plus 1 if LD-DPO counts it in full. */
function ownersOf({ pairs, start, rows }: TokenList): Uint32Array {
  const owners = new Uint32Array(rows.length);
  for (let r = 0; r < 2 * pairs; r++) {
    const [from, to] = [start[r] as number, start[r + 1] as number];
    const partner = r < pairs ? r + pairs : r - pairs;
    const shorter = (start[partner + 1] as number) - (start[partner] as number);
    for (let k = from; k < to; k++) owners[k] = 2 * r + Number(k - from < shorter);
  }
  return owners;
}

/** A loss whose results stay on the GPU. */
export function residentLoss(
  gpu: Gpu,
  job: LossJob,
  outputs: Outputs,
): Resident<GpuPairLossResult & GpuSequenceLogpsResult> {
  const { pairs } = job.list;
  const bytes = bytesOfLoss(job.list);
  const [perToken, metrics] = [outputs.make(bytes.perToken), outputs.make(bytes.metrics)];
  const results = outputs.make(bytes.results);
  const done = submitLater(gpu, (commands) => void recordLoss(commands, job, { perToken, metrics, results }));
  return {
    ...pairRanges(results, pairs),
    logps: { buffer: results.buffer, offset: 4 * RESULTS * pairs, size: 8 * pairs },
    ...perTokenRanges(perToken, job.list),
    metrics,
    done,
  };
}

/**
 * The passes of a loss that is read back, in one submission: the GPU takes tokens' gradients from its own pair stage, and what the
 * result says of tokens and pairs is computed here from the sums of tokens, in float64.
 */
export function passesInOne(gpu: Gpu, job: LossJob, signal: AbortSignal | undefined): TokenPasses {
  const { reference, list } = job;
  let ofReference: ArrayBuffer | undefined;
  return {
    read: (sums) =>
      submit(
        gpu,
        (commands) => {
          const { perToken, metrics, results } = bytesOfLoss(list);
          const recorded = recordLoss(commands, job, {
            perToken: commands.scratch(perToken),
            metrics: commands.scratch(metrics),
            results: commands.scratch(results),
          });
          commands.read(recorded.policy, (bytes) => unpackSums(bytes, sums));
          if (!recorded.reference) return;
          commands.read(recorded.reference, (bytes) => {
            ofReference = bytes.slice(0);
          });
        },
        signal,
      ),
    readReference:
      reference && "forward" in reference ? (sums) => unpackSums(ofReference as ArrayBuffer, sums) : undefined,
    gradient() {},
  };
}

/** The passes of a loss whose pair stage runs on the CPU, a submission each: sums of tokens come back, slopes are uploaded. */
export function passesApart(
  gpu: Gpu,
  job: Pick<LossJob, "policy" | "reference" | "list"> & Partial<Pick<LossJob, "prompts">>,
  signal: AbortSignal | undefined,
) {
  const { policy, reference, list, prompts } = job;
  const all = prompts?.all ?? list;
  return {
    read: (sums: TokenSums) => readTokens(gpu, policy, all, sums, signal),
    readReference:
      reference && "forward" in reference
        ? (sums: TokenSums) => readTokens(gpu, reference, list, sums, signal)
        : undefined,
    gradient: (g: Float64Array, sums: TokenSums, entropy?: EntropySlopes) =>
      submit(
        gpu,
        (commands) => {
          const slopes = commands.upload(packSlopes(policy, all.targets, g, sums, entropy));
          policy.backward(commands, slopes, entropy && commands.upload(packEntropies(policy, entropy)));
        },
        signal,
      ),
  };
}

/** The forward pass of one source, read back. */
export async function readTokens(
  gpu: Gpu,
  source: TokenSource,
  { targets }: TokenList,
  sums: TokenSums,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (targets.length === 0) return;
  await submit(
    gpu,
    (commands) => {
      const tokens = commands.upload(packTokens(source, targets));
      const range = source.forward(commands, tokens, sums.statistics !== undefined);
      commands.read(range, (bytes) => unpackSums(bytes, sums));
    },
    signal,
  );
}
