// The calls with tokens in one submission: from a source of tokens to sequences, the pair stage, and back to each token's slope.
// Results stay on the GPU, or come back with it. Twin of src/calls/token-loss.ts.

import { runLater } from "../../calls/steps.ts";
import { tokenLoss } from "../../calls/token-loss.ts";
import type { PairEngine, TokenSums } from "../../engine.ts";
import type { TokenList } from "../../inputs/tokens.ts";
import { times } from "../../losses/factor.ts";
import type { Plan, Term } from "../../plan/plan.ts";
import type { LogitsLossOptions, PairLossResult, SequenceLogpsResult } from "../../types.ts";
import type { Commands, Range } from "./commands.ts";
import { RESULTS } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import {
  type BatchParams,
  METRICS_BYTES,
  type Outputs,
  packLengths,
  pairRanges,
  recordPairStage,
  uploadParams,
} from "./resident.ts";
import {
  type ResidentJob,
  type ResidentReference,
  recordReference,
  recordSequences,
  recordTokens,
  uploadLayout,
} from "./sequences.ts";
import { tokenGradientsWgsl } from "./sequences.wgsl.ts";
import { type Gpu, submit, submitLater } from "./submit.ts";
import { unpackSums } from "./token-source.ts";
import { type GpuPairLossResult, type GpuRange, type GpuSequenceLogpsResult, gpuMetrics } from "./types.ts";

/** Of a loss. */
export interface ResidentLossJob extends ResidentJob {
  readonly plan: Plan;
  readonly wpo: boolean;
  readonly gradScale: number;
  readonly reference: ResidentReference;
}

const paramsOf = ({ list, vocab, ldAlpha, statistics }: ResidentJob): BatchParams => ({
  pairs: list.pairs,
  tokens: list.rows.length,
  vocab,
  statistics,
  alpha: ldAlpha,
  slope: 0,
  wpo: false,
  offset: list.positions,
});

const perTokenRanges = ({ buffer }: GpuRange, positions: number) => ({
  tokenLogps: { buffer, offset: 0, size: 4 * positions },
  logsumexp: { buffer, offset: 4 * positions, size: 4 * positions },
});

const lengthsOf = (commands: Commands, { pairs, lengths }: TokenList): Range =>
  commands.upload(packLengths(pairs, [lengths.subarray(0, pairs), lengths.subarray(pairs)]));

/** Forward only. */
export function residentLogps(gpu: Gpu, job: ResidentJob, plan: Plan, outputs: Outputs): GpuSequenceLogpsResult {
  const { list, policy } = job;
  const { pairs, positions } = list;
  const perToken = outputs.make(8 * positions);
  const metrics = outputs.make(METRICS_BYTES);
  const logps = outputs.make(8 * pairs);
  const params = paramsOf(job);
  const done = submitLater(gpu, (commands) => {
    const layout = uploadLayout(commands, list);
    const sums = policy.forward(commands, recordTokens(commands, policy, job, metrics), job.statistics);
    const sequences = recordSequences(commands, job, layout, params, sums, perToken);
    // The pair stage of a loss without a reference gives the log-probs in the order of the result.
    const stage = {
      plan,
      params,
      scale: 1 / pairs,
      likelihood: () => [0, 0, 0] as const,
      lengths: lengthsOf(commands, list),
      policy: sequences,
      reference: sequences,
      start: layout.start,
    };
    const { inputs } = recordPairStage(commands, stage, metrics);
    commands.copy({ ...inputs, offset: 8 * pairs, size: 8 * pairs }, logps);
    // Loss and rewards are none here.
    commands.clear({ ...metrics, size: 4 * gpuMetrics.indexOf("logps/chosen") });
  });
  return { logps, ...perTokenRanges(perToken, positions), metrics, done, destroy: outputs.destroy };
}

/** Where the small results of a loss go. */
interface LossRanges {
  /** Log-probs and log-sum-exps of tokens. */
  readonly perToken: Range;
  readonly metrics: Range;
  /** Losses, both gradients and rewards of pairs, log-probs of sequences. */
  readonly results: Range;
}

const bytesOfLoss = ({ pairs, positions }: TokenList): { [Name in keyof LossRanges]: number } => ({
  perToken: 8 * positions,
  metrics: METRICS_BYTES,
  results: 4 * (RESULTS + 2) * pairs,
});

/** What the tokens of policy and reference came to. */
interface LossSums {
  readonly policy: Range;
  readonly reference: Range | undefined;
}

/** Records forward, pair stage, backward: gradients go where the policy's source takes them. */
function recordLoss(commands: Commands, job: ResidentLossJob, { perToken, metrics, results }: LossRanges): LossSums {
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
    lengths: lengthsOf(commands, list),
    policy: recordSequences(commands, job, layout, params, sums, perToken),
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

/** A loss that leaves its results on the GPU. */
export function residentLoss(
  gpu: Gpu,
  job: ResidentLossJob,
  outputs: Outputs,
): GpuPairLossResult & GpuSequenceLogpsResult {
  const { pairs, positions } = job.list;
  const bytes = bytesOfLoss(job.list);
  const [perToken, metrics] = [outputs.make(bytes.perToken), outputs.make(bytes.metrics)];
  const results = outputs.make(bytes.results);
  const done = submitLater(gpu, (commands) => void recordLoss(commands, job, { perToken, metrics, results }));
  return {
    ...pairRanges(results, pairs),
    logps: { buffer: results.buffer, offset: 4 * RESULTS * pairs, size: 8 * pairs },
    ...perTokenRanges(perToken, positions),
    metrics,
    done,
    destroy: outputs.destroy,
  };
}

/**
 * A loss that comes back, in one submission. Tokens' gradients are taken from the pair stage there; what the result says of
 * tokens and pairs is formed here again, in float64, from the sums of the tokens.
 */
export function lossInOne(
  gpu: Gpu,
  job: ResidentLossJob,
  options: LogitsLossOptions,
  pairEngine: PairEngine,
): Promise<PairLossResult & SequenceLogpsResult> {
  const { reference, list, plan } = job;
  let ofReference: ArrayBuffer | undefined;
  const passes = {
    read: (sums: TokenSums) =>
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
        options.signal,
      ),
    readReference:
      reference && "forward" in reference
        ? (sums: TokenSums) => unpackSums(ofReference as ArrayBuffer, sums)
        : undefined,
    gradient() {},
  };
  const logps = reference && "logps" in reference ? reference.logps : undefined;
  return runLater(tokenLoss({ pairs: pairEngine }, { ...job, reference: logps && { logps } }, passes, plan, options));
}

/** Of each token its sequence · 2, and 1 more where LD-DPO counts it in full. */
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
