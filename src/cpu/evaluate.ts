// The pair stage by the definitions as they are written, in float64: the js backend, and losses that have no kernel or shader.

import { setNumbers } from "../checks/views.ts";
import { addPair, addRow, ownLog, type PairSums } from "../inputs/pair-sums.ts";
import type { PairJob } from "../inputs/pairs.ts";
import { times } from "../losses/factor.ts";
import { type LossRecord, type PairResult, pairResults } from "../losses/kinds.ts";
import { functionOf, isOwn } from "../losses/own.ts";
import { margins, reverseKl } from "../plan/divergences.ts";
import { isOfRows, type Term } from "../plan/plan.ts";
import type { FloatArray } from "../types.ts";

type Triple = readonly [number, number, number];
type MarginRecord = Extract<LossRecord, { kind: "margin" }>;
type PairRecord = Extract<LossRecord, { kind: "pair" }>;

/** A job of pairs with a reference. */
interface ScoredJob extends PairJob {
  readonly referenceChosen: FloatArray;
  readonly referenceRejected: FloatArray;
  readonly gradRejected: Float32Array<ArrayBufferLike>;
}

// Loss and derivatives of pair i, before weights and scale.
type Evaluate = (i: number, a: number, c: number, chosenLength: number, rejectedLength: number) => Triple;

/** Fills the buffers of a job. */
export function computePairs(job: PairJob, sums: PairSums): void {
  if (!job.plan.terms.some(({ loss }) => isOwn(loss))) {
    computeEach(job, sums);
    return;
  }
  // A function of the user's may throw at any pair, and nothing may be written then.
  const fresh = pairResults.map((name) => [name, job[name] && new Float32Array(job.pairs)] as const);
  const results = Object.fromEntries(fresh) as Pick<PairJob, PairResult>;
  computeEach({ ...job, ...results }, sums);
  for (const [name, values] of fresh) if (values) setNumbers(job[name] as Float32Array, values, 0);
}

function computeEach(job: PairJob, sums: PairSums): void {
  const [term, other] = job.plan.terms as [Term, Term?];
  const { loss, params, weight, free, divergence } = term;
  const isAlone = !other && weight === 1 && !job.pairWeights && !job.hasEmpty;
  if (isAlone && loss.scored && !loss.perToken && !free && !divergence) {
    computeMargins(job as ScoredJob, sums, loss as MarginRecord, params);
  } else {
    computeTerms(job, sums);
  }
}

// One loss of the difference of log-ratios, which most calls ask for, in a loop so short that engines inline the loss's function.
// Both its numbers are read before one is written: engines then make no array of them.
// measured: sigmoid takes 1.45 times as long as a loop written by hand for the same results; as one of many terms, 2.35.
function computeMargins(job: ScoredJob, sums: PairSums, loss: MarginRecord, params: readonly number[]): void {
  const { plan, pairs, scale, policyChosen, policyRejected, referenceChosen, referenceRejected } = job;
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = job;
  const margin = functionOf(loss);
  const [p0, p1, p2, p3] = four(params);
  for (let i = 0; i < pairs; i++) {
    const pc = policyChosen[i] as number;
    const pr = policyRejected[i] as number;
    const a = pc - (referenceChosen[i] as number);
    const c = pr - (referenceRejected[i] as number);
    const result = margin(a - c, p0, p1, p2, p3);
    const value = result[0];
    const slope = result[1];
    // No result is −0.
    losses[i] = value + 0;
    gradChosen[i] = times(scale, slope + 0);
    gradRejected[i] = times(scale, 0 - slope);
    if (Number.isNaN(value)) gradChosen[i] = gradRejected[i] = times(scale, value);
    addPair(sums, pc, pr, a, c);
    if (chosenRewards) chosenRewards[i] = plan.beta * a;
    if (rejectedRewards) rejectedRewards[i] = plan.beta * c;
    sums.losses += value;
  }
}

function computeTerms(job: PairJob, sums: PairSums): void {
  const { plan, pairs, scale, pairWeights, hasEmpty, chosenLengths, rejectedLengths } = job;
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = job;
  const { losses, gradChosen, gradRejected, chosenRewards, rejectedRewards } = job;
  const add = isOfRows(plan) ? addRow : addPair;
  const log = ownLog(job);
  const evaluate = plan.terms.map((term, at) => evaluator(term, at, job));
  for (let i = 0; i < pairs; i++) {
    const pc = policyChosen[i] as number;
    const pr = policyRejected[i] as number;
    const rc = referenceChosen ? (referenceChosen[i] as number) : 0;
    const rr = referenceRejected ? (referenceRejected[i] as number) : 0;
    const nw = chosenLengths ? (chosenLengths[i] as number) : 1;
    const nl = rejectedLengths ? (rejectedLengths[i] as number) : 1;
    const pairWeight = pairWeights ? (pairWeights[i] as number) : 1;
    // One by one, as results are read by their places: an iterator per array takes a tenth of the time.
    let loss = 0;
    let da = 0;
    let dc = 0;
    for (let j = 0; j < evaluate.length; j++) {
      const { weight, free, loss: definition } = plan.terms[j] as Term;
      const a = free ? pc : pc - rc;
      const c = free ? pr : pr - rr;
      const result = (evaluate[j] as Evaluate)(i, a, c, nw, nl);
      // The slope of a likelihood bears the weights of all pairs already.
      const ofPair = definition.batch === "likelihood" ? 1 : pairWeight;
      loss += times(weight, times(pairWeight, result[0]));
      da += times(weight, times(ofPair, result[1]));
      dc += times(weight, times(ofPair, result[2]));
    }
    losses[i] = loss;
    gradChosen[i] = hasEmpty && nw === 0 ? 0 : times(scale, da);
    if (gradRejected) gradRejected[i] = hasEmpty && nl === 0 ? 0 : times(scale, dc);
    let x = pc - rc;
    let y = pr - rr;
    if (log) [x, y] = log(sums, i, pc, pr, x, y);
    else add(sums, pc, pr, x, y);
    if (chosenRewards) chosenRewards[i] = plan.beta * x;
    if (rejectedRewards) rejectedRewards[i] = plan.beta * y;
    sums.losses += loss;
  }
}

function evaluator(term: Term, at: number, job: PairJob): Evaluate {
  const { loss } = term;
  if (loss.kind === "likelihood") {
    const [value, slope] = job.likelihood(at);
    return (i) => {
      const logp = job.policyChosen[i] as number;
      return [value, Number.isNaN(logp) ? logp : slope * job.pairs, 0];
    };
  }
  if (loss.kind === "row") {
    const [p0, p1, p2, p3] = four(term.params);
    const row = functionOf(loss);
    return (_i, r, label) => {
      const [value, slope] = row(r, label, p0, p1, p2, p3);
      return withNaN([value, slope, 0]);
    };
  }
  if (loss.kind === "pair") {
    return pairEvaluator(loss, term, job);
  }
  return loss.batch ? sortedEvaluator(loss, term, job) : marginEvaluator(loss, term, job);
}

function pairEvaluator(loss: PairRecord, { params }: Term, job: PairJob): Evaluate {
  const pair = withColumns(functionOf(loss), 2, loss, params, job);
  if (!loss.perToken) return (i, a, c) => withNaN(pair(i, a, c));
  return (i, a, c, chosenLength, rejectedLength) => {
    const [, perChosen, perRejected] = reverseKl(a, c, chosenLength, rejectedLength);
    const [value, da, dc] = withNaN(pair(i, a * perChosen, c * -perRejected));
    return [value, da * perChosen, dc * -perRejected];
  };
}

// The formula of a loss that takes columns, of pair i; others take their hyperparameters alone.
function withColumns<R>(
  formula: (...numbers: number[]) => R,
  first: 1 | 2,
  { columns }: LossRecord,
  params: readonly number[],
  job: PairJob,
): (i: number, x: number, y: number) => R {
  const [p0, p1, p2, p3] = four(params);
  if (columns.length === 0) {
    return first === 1 ? (_i, x) => formula(x, p0, p1, p2, p3) : (_i, x, y) => formula(x, y, p0, p1, p2, p3);
  }
  const given = columns.map((name) => job[name] as FloatArray);
  const args = [...new Array(first + columns.length).fill(0), ...params];
  return (i, x, y) => {
    args[0] = x;
    if (first === 2) args[1] = y;
    given.forEach((column, k) => {
      args[first + k] = column[i];
    });
    return formula(...args);
  };
}

function marginEvaluator(loss: MarginRecord, { params, divergence }: Term, job: PairJob): Evaluate {
  const { perToken } = loss;
  const margin = withColumns(functionOf(loss), 1, loss, params, job);
  if (!divergence && !perToken) {
    return (i, a, c) => {
      const result = margin(i, a - c, 0);
      return withNaN([result[0], result[1], -result[1]]);
    };
  }
  const form = divergence ? margins[divergence.id] : reverseKl;
  // Behind the constants go units, of 1 here.
  const [k = 0, cap = 1] = divergence?.constants ?? [];
  return (i, a, c, chosenLength, rejectedLength) => {
    const [d, da, dc] = form(a, c, perToken ? chosenLength : 1, perToken ? rejectedLength : 1, k, cap, 1, 1);
    const [value, slope] = margin(i, d, 0);
    return withNaN([value, chain(slope, da), chain(slope, dc)]);
  };
}

// The chain rule: either factor switches it off.
const chain = (slope: number, inner: number): number => (inner === 0 ? 0 : times(slope, inner));

// AOT: margins between sorted vectors; losses stay by rank, gradients go back through the sort.
function sortedEvaluator(loss: MarginRecord, term: Term, job: PairJob): Evaluate {
  const { batch } = loss;
  const margin = functionOf(loss);
  const [p0, p1, p2, p3] = four(term.params);
  const [u, v] = sortKeys(term, job);
  const uOrder = argsort(u);
  const vOrder = argsort(v);
  const values = new Float64Array(job.pairs);
  const da = new Float64Array(job.pairs);
  const dc = new Float64Array(job.pairs);
  for (let k = 0; k < job.pairs; k++) {
    const i = uOrder[k] as number;
    const j = vOrder[k] as number;
    const [value, slope] = margin((u[i] as number) - (v[j] as number), p0, p1, p2, p3);
    values[k] = value;
    da[i] = slope;
    dc[batch === "margins" ? i : j] = -slope;
  }
  return (i) => [values[i] as number, da[i] as number, dc[i] as number];
}

/** The two vectors that AOT sorts: policy and reference margins, or chosen and rejected log-ratios. In float64. */
export function sortKeys({ loss, free }: Term, job: PairJob, u = new Float64Array(job.pairs), v = u.slice()) {
  const { batch } = loss;
  const { policyChosen, policyRejected } = job;
  const referenceChosen = free ? undefined : job.referenceChosen;
  const referenceRejected = free ? undefined : job.referenceRejected;
  for (let i = 0; i < job.pairs; i++) {
    const pc = policyChosen[i] as number;
    const pr = policyRejected[i] as number;
    const rc = referenceChosen ? (referenceChosen[i] as number) : 0;
    const rr = referenceRejected ? (referenceRejected[i] as number) : 0;
    u[i] = batch === "margins" ? pc - pr : pc - rc;
    v[i] = batch === "margins" ? rc - rr : pr - rr;
  }
  return [u, v] as const;
}

// Stable, NaN last: the order of assembly/sort.ts.
function argsort(keys: Float64Array): Uint32Array {
  const compare = (i: number, j: number): number => {
    const x = keys[i] as number;
    const y = keys[j] as number;
    return x < y ? -1 : x > y ? 1 : Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || i - j;
  };
  return Uint32Array.from(keys, (_, i) => i).sort(compare);
}

// A NaN loss has NaN gradients, also where a formula's derivative does not look at the NaN: api, §5.
function withNaN(result: Triple): Triple {
  return Number.isNaN(result[0]) ? [Number.NaN, Number.NaN, Number.NaN] : result;
}

// Spread into the call they would make an array per pair; defineLoss takes no more.
const four = ([p0 = 0, p1 = 0, p2 = 0, p3 = 0]: readonly number[]) => [p0, p1, p2, p3] as const;
