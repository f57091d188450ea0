// The pair stage on the GPU: log-ratios in, losses and gradients out, in one submission.

import { setNumbers } from "../../checks/views.ts";
import { sortKeys } from "../../cpu/evaluate.ts";
import { addPair, addRow, ownLog, type PairSums } from "../../inputs/pair-sums.ts";
import type { PairJob } from "../../inputs/pairs.ts";
import { times } from "../../losses/factor.ts";
import { type KernelName, kernelConstants } from "../../plan/constants.gen.ts";
import { divergedParams } from "../../plan/diverged.ts";
import { kernelOf } from "../../plan/kernel-of.ts";
import { isOfRows, type Plan, type Term } from "../../plan/plan.ts";
import type { LengthArray } from "../../types.ts";
import { type Commands, packParams, type Range } from "./commands.ts";
import { behindLogps, type Field, inputNames, isSorted, pairFields, pairsWgsl, RESULTS } from "./pairs.wgsl.ts";
import { groupsOf } from "./prelude.wgsl.ts";
import { recordSorted } from "./sort.ts";
import { type Gpu, submit } from "./submit.ts";

/** What the pair stage needs to know beside its inputs. */
export interface PairStage {
  readonly plan: Plan;
  readonly pairs: number;
  /** gradScale / pairs. */
  readonly scale: number;
  /** Of a likelihood loss without the weight of its term: value, slope times pairs, what the sum behind the inputs adds. */
  readonly likelihood: (at: number) => readonly [loss: number, slope: number, perSum: number];
  /** The keys of a sorted term, four arrays in a range: high and low parts of the one list, then of the other. */
  readonly keys: (term: Term) => Range;
}

const constantsOf = ({ plan, scale, likelihood }: PairStage): readonly (readonly number[])[] =>
  plan.terms.map((term, j) => {
    const { loss, weight } = term;
    if (loss.kind === "likelihood") {
      const [value, slope, perSum] = likelihood(j);
      return [value, times(weight * scale, slope), perSum];
    }
    const make = kernelConstants[kernelOf(loss) as KernelName] as (...params: number[]) => readonly number[];
    const params = term.divergence
      ? divergedParams(term, weight * scale)
      : { gradScale: weight * scale, loss: term.params };
    return make(params.gradScale, ...params.loss);
  });

/**
 * Records the pair stage: `inputs` holds the arrays of `inputNames`; losses, both gradients and both rewards come back, one
 * array after another.
 */
export function recordPairs(commands: Commands, stage: PairStage, inputs: Range): Range {
  const { plan, pairs, scale } = stage;
  const results = commands.scratch(4 * RESULTS * pairs);
  const sortedTerms = plan.terms.filter(isSorted);
  const bytes = 12 * pairs;
  const sorted = sortedTerms.length > 0 ? commands.scratch(bytes * sortedTerms.length) : undefined;
  for (const [k, term] of sortedTerms.entries()) {
    const part = commands.scratch(bytes);
    recordSorted(commands, term, pairs, term.weight * scale, stage.keys(term), part);
    commands.copy(part, { buffer: (sorted as Range).buffer, offset: k * bytes, size: bytes });
  }
  const constants = constantsOf(stage);
  const fields = pairFields(plan, constants);
  const values: Record<string, number | readonly number[]> = { pairs, beta: plan.beta, scale };
  plan.terms.forEach((term, j) => {
    values[`weight${j}`] = term.weight;
    values[`sortedAt${j}`] = 3 * pairs * sortedTerms.indexOf(term);
    values[`k${j}`] = constants[j] ?? [];
    values[`m${j}`] = divergenceConstants(term, scale);
  });
  const params = commands.upload(packParams(fields.map((field) => packField(field, values))));
  commands.run(pairsWgsl(plan, fields), groupsOf(pairs), params, inputs, results, ...(sorted ? [sorted] : []));
  return results;
}

function packField({ name, type }: Field, values: Record<string, number | readonly number[]>) {
  const value = values[name] ?? 0;
  return typeof value !== "number" ? value : type === "u32" ? { u32: value } : { f32: value };
}

function divergenceConstants(term: Term, scale: number): readonly number[] {
  const { divergence, weight } = term;
  if (!divergence) return [];
  const make = kernelConstants[`margin_${divergence.id}`] as (...params: number[]) => readonly number[];
  return make(...divergedParams(term, weight * scale).margin);
}

/** The engine of `pairLoss`: a piece of the batch at a time, unless a loss sorts the whole of it. */
export async function computePairs(gpu: Gpu, job: PairJob, sums: PairSums, signal?: AbortSignal): Promise<void> {
  const { pairs, plan, scale } = job;
  const likelihood: PairStage["likelihood"] = (at) => {
    const [value, slope] = job.likelihood(at);
    return [value, slope * pairs, 0];
  };
  const most = Math.floor(gpu.device.limits.maxStorageBufferBindingSize / (4 * (inputNames.length + 1)));
  const piece = plan.terms.some(isSorted) ? pairs : Math.min(pairs, most);
  // Written once the whole call has succeeded: a result may lie over an input, and a refused call writes nothing.
  const results: Float32Array[] = [];
  await submit(
    gpu,
    (commands) => {
      for (let start = 0; start < pairs; start += piece) {
        const n = Math.min(piece, pairs - start);
        const inputs = commands.upload(stageInputs(job, start, n, sums));
        const range = recordPairs(commands, { plan, pairs: n, scale, likelihood, keys: keysOf(commands, job) }, inputs);
        commands.read({ ...range, size: 4 * RESULTS * n }, (bytes) => results.push(new Float32Array(bytes).slice()));
      }
    },
    signal,
  );
  results.forEach((values, k) => {
    deliver(job, values, k * piece, sums);
  });
}

function deliver(job: PairJob, values: Float32Array, start: number, sums: PairSums): void {
  const n = values.length / RESULTS;
  const arrays = [job.losses, job.gradChosen, job.gradRejected, job.chosenRewards, job.rejectedRewards];
  arrays.forEach((array, k) => {
    if (array) setNumbers(array, values.subarray(k * n, (k + 1) * n), start);
  });
  for (let i = 0; i < n; i++) sums.losses += values[i] as number;
}

// Log-ratios are formed in float64 on their way to the GPU, metrics with them.
function stageInputs(job: PairJob, start: number, n: number, sums: PairSums): Float32Array {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = job;
  const staged = new Float32Array(inputNames.length * n + 1);
  const add = isOfRows(job.plan) ? addRow : addPair;
  const log = ownLog(job);
  const fill = (at: number, array: LengthArray | undefined): void => {
    if (array) for (let k = 0; k < n; k++) staged[at * n + k] = array[start + k] as number;
    else staged.fill(1, at * n, (at + 1) * n);
  };
  for (let k = 0, i = start; k < n; k++, i++) {
    const pc = policyChosen[i] as number;
    const pr = policyRejected[i] as number;
    const a = pc - (referenceChosen ? (referenceChosen[i] as number) : 0);
    const c = pr - (referenceRejected ? (referenceRejected[i] as number) : 0);
    staged[2 * n + k] = pc;
    staged[3 * n + k] = pr;
    // Rewards are of these; losses that log others take the log-probs themselves.
    const [x, y] = log ? log(sums, i, pc, pr, a, c) : [a, c];
    staged[k] = x;
    staged[n + k] = y;
    if (!log) add(sums, pc, pr, a, c);
  }
  // Behind log-ratios and the policy's log-probs: 1 for a length or a weight that there is none of.
  behindLogps.forEach(({ name }, k) => {
    fill(4 + k, job[name] as LengthArray | undefined);
  });
  return staged;
}

// Two float32 hold a float64 key closely enough that margins tie only where they are equal.
function keysOf(commands: Commands, job: PairJob): PairStage["keys"] {
  return (term) => {
    const lists = sortKeys(term, job);
    const parts = lists.flatMap((list) => {
      const high = Float32Array.from(list);
      const low = Float32Array.from(high, (x, i) => (Number.isFinite(x) ? (list[i] as number) - x : 0));
      return [high, low];
    });
    const all = new Float32Array(4 * job.pairs);
    parts.forEach((part, k) => {
      all.set(part, k * job.pairs);
    });
    return commands.upload(all);
  };
}
