// pairLoss on the SIMD kernels, a piece of the batch at a time: inputs are staged, each term's kernel runs, terms are added.

import { lengthOf, offsetOf, overlap } from "../checks/views.ts";
import type { PairEngine } from "../engine.ts";
import { type Numbers, type Scan, scanValues } from "../inputs/columns.ts";
import type { PairSums } from "../inputs/pair-sums.ts";
import type { PairJob } from "../inputs/pairs.ts";
import { times } from "../losses/factor.ts";
import { lossTable } from "../losses/index.ts";
import { pairColumns, pairResults } from "../losses/kinds.ts";
import { arrayKind } from "../messages.ts";
import { type KernelName, kernelConstants, mostConstants } from "../plan/constants.gen.ts";
import { divergedParams } from "../plan/diverged.ts";
import { kernelOf, variantOf } from "../plan/kernel-of.ts";
import { isOfRows, type Term } from "../plan/plan.ts";
import type { KernelExports } from "./load.ts";
import type { Sorted, Sorter } from "./sort.ts";
import { copy, createStaging, PIECE, stagingBytes } from "./staging.ts";

const slots = [
  ...pairColumns.map(({ name }) => name),
  ...pairResults,
  // A term's results before they are added to those of the terms before it.
  "termLosses",
  "termChosen",
  "termRejected",
  // Margin and its derivatives under an f-divergence.
  "margin",
  "marginChosen",
  "marginRejected",
  // The policy's own log-probs, where the kernels are given log-ratios.
  "ownChosen",
  "ownRejected",
  "zeros",
  "ones",
] as const;

// What the module calls each kernel: a name put together anew takes a tenth of a call of a few pairs.
const exported = Object.fromEntries(Object.keys(kernelConstants).map((name) => [name, `${name}_f32`])) as {
  readonly [Name in KernelName]: `${Name}_f32`;
};

const CONSTANTS_BYTES = 64 * Math.ceil(mostConstants / 16);
const SUMS_BYTES = 64;

/** The memory that pairLoss needs, whatever the batch. */
export const pairBytes = stagingBytes(slots.length) + CONSTANTS_BYTES + SUMS_BYTES;

/** Where a piece of the batch lies: addresses, as the losses see it. */
interface Piece {
  readonly start: number;
  readonly n: number;
  readonly pc: number;
  readonly pr: number;
  readonly rc: number;
  readonly rr: number;
  readonly nw: number;
  readonly nl: number;
  readonly rm: number;
}

/** Where losses and gradients of a piece are written. */
type Outputs = readonly [losses: number, gradChosen: number, gradRejected: number];

/** A piece without its first pairs. */
function pieceFrom({ start, n, pc, pr, rc, rr, nw, nl, rm }: Piece, first: number): Piece {
  const [bytes, rest] = [4 * first, { start: start + first, n: n - first }];
  return {
    ...rest,
    ...{ pc: pc + bytes, pr: pr + bytes, rc: rc + bytes, rr: rr + bytes },
    ...{ nw: nw + bytes, nl: nl + bytes, rm: rm + bytes },
  };
}

// A factor that the kernels, in float32, see as 0: it switches off what it multiplies (src/losses/factor.ts).
const isOff = (factor: number): boolean => Math.fround(factor) === 0;

/** Makes the engine that `pairLoss` runs on, with its staging area from byte `base` of the memory on. */
export function pairEngine(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  base: number,
  sorter: Sorter,
  holdsArray: (array: ArrayBufferView) => boolean,
): Pick<PairEngine<void>, "compute" | "scan"> {
  const { buffer } = memory as { buffer: ArrayBuffer };
  let heap = new Float32Array(buffer);
  /** All of the memory: arrays of `allocate` may lie where a shared one has grown since. */
  const wholeHeap = (): Float32Array => {
    if (heap.buffer !== memory.buffer) heap = new Float32Array(memory.buffer as ArrayBuffer);
    return heap;
  };
  const { at, views, holds, place } = createStaging(buffer, base, slots, holdsArray);
  const constantsAt = base + stagingBytes(slots.length);
  const sumsAt = constantsAt + CONSTANTS_BYTES;
  const sums = new Float64Array(buffer, sumsAt, 6);
  const termSlots: Outputs = [at.termLosses, at.termChosen, at.termRejected];
  const marginSlots: Outputs = [at.margin, at.marginChosen, at.marginRejected];
  const integers = {
    chosenLengths: new Int32Array(buffer, at.chosenLengths, PIECE),
    rejectedLengths: new Int32Array(buffer, at.rejectedLengths, PIECE),
  };
  views.ones.fill(1);

  const run = (name: KernelName, params: readonly number[], piece: Piece, out: Outputs): void => {
    const constants: (...params: number[]) => readonly number[] = kernelConstants[name];
    const values = constants(...params);
    for (let k = 0; k < values.length; k++) heap[constantsAt / 4 + k] = values[k] as number;
    const { pc, pr, rc, rr, nw, nl, rm, n } = piece;
    kernels[exported[name]](pc, pr, rc, rr, nw, nl, rm, out[0], out[1], out[2], n, constantsAt);
  };

  // The margin under the divergence, then the loss of it as if it were a log-ratio, then the chain rule.
  const runDiverged = (kernel: KernelName, gradScale: number, term: Term, piece: Piece, out: Outputs): void => {
    const { loss, params, divergence } = term;
    if (!divergence) {
      run(kernel, [gradScale, ...params], piece, out);
      return;
    }
    const units = divergedParams(term, gradScale);
    const { margin, marginChosen, marginRejected, zeros, ones } = at;
    const scores = loss.perToken ? piece : { ...piece, nw: ones, nl: ones };
    run(`margin_${divergence.id}`, units.margin, scores, marginSlots);
    run(
      kernel,
      [units.gradScale, ...units.loss],
      { ...piece, pc: margin, pr: zeros, rc: zeros, rr: zeros, nw: ones, nl: ones },
      out,
    );
    const [, gradChosen, gradRejected] = out;
    kernels.chain_f32(gradChosen, marginChosen, marginRejected, gradChosen, gradRejected, piece.n);
  };

  // ORPO's odds of a piece: from its losses, which are at hand before they are weighed, where these have the digits; the odds of the last
  // pairs, and of other pieces, are those of their log-probs.
  let oddsOfLosses: { count: number; odds: number; ratio: number } | undefined;
  const noteOdds = ({ loss, params: [beta = 1] }: Term, losses: number, n: number): void => {
    const count = n & ~3;
    if (loss !== lossTable.orpo || count === 0 || oddsOfLosses || !(beta > 1e-30 && beta < 1e30)) return;
    const odds = kernels.odds_sum_f32(losses, count, 1 / beta);
    if (!Number.isNaN(odds)) oddsOfLosses = { count, odds, ratio: -kernels.sum_f32(losses, count) / beta };
  };
  const logOdds = (own: Piece, into: PairSums): void => {
    const { count, odds, ratio } = oddsOfLosses ?? { count: 0, odds: 0, ratio: 0 };
    oddsOfLosses = undefined;
    into.odds += odds;
    into.oddsRatio += ratio;
    const n = own.n - count;
    if (n === 0) return;
    run("margin_log_odds", [], pieceFrom(own, count), marginSlots);
    into.odds += kernels.sum_f32(at.margin, n);
    into.oddsRatio += kernels.sum_f32(at.marginChosen, n);
  };

  // What losses of log-probs log (src/inputs/pair-sums.ts has it in JavaScript). Gives where their rewards in units of β are.
  const logOwn = ({ plan: { argument } }: PairJob, own: Piece): Pick<Piece, "pc" | "pr"> => {
    const { n } = own;
    const stats = ({ pc, pr }: Pick<Piece, "pc" | "pr">): void => {
      kernels.pair_stats_f32(pc, pr, at.zeros, at.zeros, n, sumsAt);
    };
    let logps: Pick<Piece, "pc" | "pr"> = own;
    if (argument?.perToken) {
      run("margin_own_means", [], own, termSlots);
      logps = { pc: at.termChosen, pr: at.termRejected };
    }
    const before = sums.slice(2);
    stats(logps);
    if (!argument?.k) return logps;
    // The rewards are not what is logged as log-probs.
    const logged = sums.slice(0, 2);
    sums.set(before, 2);
    run("margin_own_rewards", [argument.k], { ...own, ...logps }, marginSlots);
    const rewards = { pc: at.marginChosen, pr: at.marginRejected };
    stats(rewards);
    sums.set(logged);
    return rewards;
  };

  // Lengths are int32 mostly, and a kernel is four times as fast as a copy between arrays of two types.
  const placeIntegers = (lengths: Numbers, slot: LengthSlot, start: number, n: number): number => {
    if (holdsArray(lengths)) return offsetOf(lengths) + 4 * start;
    copy(lengths, start, integers[slot], 0, n);
    return at[slot];
  };
  const placeLengths = (lengths: Numbers, slot: LengthSlot, start: number, n: number): number => {
    if (arrayKind(lengths) !== "Int32Array") return place(lengths, slot, start, n);
    kernels.lengths_f32(placeIntegers(lengths, slot, start, n), at[slot], n);
    return at[slot];
  };

  // Labels are bytes: as such they are copied, if they have to be, and the kernel widens them.
  const bytes = new Uint8Array(buffer, at.rejectedLengths, PIECE);
  const placeLabels = (labels: Numbers, start: number, n: number): number => {
    const isHere = arrayKind(labels) === "Uint8Array" && holdsArray(labels);
    if (!isHere) copy(labels, start, bytes, 0, n);
    kernels.labels_f32(isHere ? offsetOf(labels) + start : at.rejectedLengths, at.policyRejected, n);
    return at.policyRejected;
  };

  const clear = (address: number, n: number): void => {
    wholeHeap().fill(0, address / 4, address / 4 + n);
  };

  // One term of the list of losses, weights included.
  const runTerm = (job: PairJob, j: number, sorted: Sorted | undefined, piece: Piece, out: Outputs): void => {
    const { loss, weight, params } = job.plan.terms[j] as Term;
    const { start, n } = piece;
    if (isOff(weight)) {
      for (const address of out) clear(address, n);
      return;
    }
    const gradScale = weight * job.scale;
    const kernel = kernelOf(loss);
    const isLikelihood = loss.kind === "likelihood";
    if (isLikelihood) {
      const [value, slope] = job.likelihood(j);
      kernels.likelihood_f32(piece.pc, ...out, n, value, times(gradScale * job.pairs, slope));
    } else if (sorted) {
      for (const k of [0, 1, 2] as const) copy(sorted[k], start, wholeHeap(), out[k] / 4, n);
    } else if (kernel) {
      runDiverged(variantOf(kernel, params), gradScale, job.plan.terms[j] as Term, piece, out);
      noteOdds(job.plan.terms[j] as Term, out[0], n);
    }
    if (weight !== 1) kernels.scale_f32(out[0], n, weight);
    if (!job.pairWeights) return;
    const weights = place(job.pairWeights, "pairWeights", start, n);
    for (const address of isLikelihood ? [out[0]] : out) kernels.weigh_f32(weights, address, n);
  };

  // `own` is the piece without its reference.
  const runTerms = (
    job: PairJob,
    sorted: readonly (Sorted | undefined)[],
    piece: Piece,
    own: Piece,
    out: Outputs,
  ): void => {
    const { n, nw, nl } = piece;
    const { terms } = job.plan;
    runTerm(job, 0, sorted[0], terms[0]?.free ? own : piece, out);
    for (let j = 1; j < sorted.length; j++) {
      const { weight, free } = terms[j] as Term;
      if (isOff(weight)) continue;
      runTerm(job, j, sorted[j], free ? own : piece, termSlots);
      for (let k = 0; k < 3; k++) kernels.add_f32(termSlots[k] as number, out[k] as number, n);
    }
    if (isOff(job.scale)) for (const address of [out[1], out[2]]) clear(address, n);
    if (!job.hasEmpty) return;
    kernels.clear_empty_f32(nw, out[1], n);
    kernels.clear_empty_f32(nl, out[2], n);
  };

  const compute = (job: PairJob, into: PairSums): void => {
    const { plan, pairs, chosenLengths, rejectedLengths, rewardMargin, referenceChosen, referenceRejected } = job;
    const sorted = plan.terms.map((term, j) => (isOff(term.weight) ? undefined : sorter(term, j, job)));
    const wide = isWide(job);
    const ofRows = isOfRows(plan);
    // A result that lies in our memory is written there, unless an input that is still to be read lies there too.
    const isDirect = (array: Float32Array<ArrayBufferLike>): boolean => holds(array) && !isRead(job, array);
    const lossesAt = isDirect(job.losses) ? offsetOf(job.losses) : -1;
    const chosenAt = isDirect(job.gradChosen) ? offsetOf(job.gradChosen) : -1;
    const rejectedAt = job.gradRejected && isDirect(job.gradRejected) ? offsetOf(job.gradRejected) : -1;
    const logsOwn = plan.argument !== undefined && !referenceChosen;
    const widened = logsOwn ? new Float64Array(sums.length) : sums;
    // Of six numbers a loop takes less time than `fill`.
    for (let k = 0; k < sums.length; k++) sums[k] = 0;
    let lossSum = 0;
    for (let start = 0; start < pairs; start += PIECE) {
      const n = Math.min(PIECE, pairs - start);
      if (wide) widen(job, start, n, views, widened);
      const pc = wide ? at.policyChosen : place(job.policyChosen, "policyChosen", start, n);
      const pr = wide
        ? at.policyRejected
        : ofRows
          ? placeLabels(job.policyRejected, start, n)
          : place(job.policyRejected, "policyRejected", start, n);
      const rc = wide || !referenceChosen ? at.zeros : place(referenceChosen, "referenceChosen", start, n);
      const rr = wide || !referenceRejected ? at.zeros : place(referenceRejected, "referenceRejected", start, n);
      const nw = chosenLengths ? placeLengths(chosenLengths, "chosenLengths", start, n) : at.ones;
      const nl = rejectedLengths ? placeLengths(rejectedLengths, "rejectedLengths", start, n) : at.ones;
      const out: Outputs = [
        lossesAt < 0 ? at.losses : lossesAt + 4 * start,
        chosenAt < 0 ? at.gradChosen : chosenAt + 4 * start,
        rejectedAt < 0 ? at.gradRejected : rejectedAt + 4 * start,
      ];
      const rm = rewardMargin ? place(rewardMargin, "rewardMargin", start, n) : at.zeros;
      const piece = { start, n, pc, pr, rc, rr, nw, nl, rm };
      const { zeros } = at;
      const ownLogps = wide ? { pc: at.ownChosen, pr: at.ownRejected } : { pc, pr };
      const own = { start, n, pc: ownLogps.pc, pr: ownLogps.pr, rc: zeros, rr: zeros, nw, nl, rm };
      runTerms(job, sorted, piece, own, out);
      // Metrics after the losses, not before: measured 10 % faster at 1e6 pairs from memory.
      if (plan.odds) logOdds(own, into);
      const ofOwn = logsOwn ? logOwn(job, own) : undefined;
      if (!ofOwn && !wide) {
        if (ofRows) kernels.row_stats_f32(pc, rc, pr, n, sumsAt);
        else kernels.pair_stats_f32(pc, pr, rc, rr, n, sumsAt);
      }
      if (ofOwn || !wide) {
        const [x, y] = ofOwn ? [ofOwn.pc, ofOwn.pr] : [pc, pr];
        const [xr, yr] = ofOwn ? [zeros, zeros] : [rc, rr];
        if (job.chosenRewards) kernels.scaled_difference_f32(x, xr, at.chosenRewards, n, plan.beta);
        if (job.rejectedRewards) kernels.scaled_difference_f32(y, yr, at.rejectedRewards, n, plan.beta);
      }
      lossSum += kernels.sum_f32(out[0], n);
      if (lossesAt < 0) copy(views.losses, 0, job.losses, start, n);
      if (chosenAt < 0) copy(views.gradChosen, 0, job.gradChosen, start, n);
      if (job.gradRejected && rejectedAt < 0) copy(views.gradRejected, 0, job.gradRejected, start, n);
      if (job.chosenRewards) copy(views.chosenRewards, 0, job.chosenRewards, start, n);
      if (job.rejectedRewards) copy(views.rejectedRewards, 0, job.rejectedRewards, start, n);
    }
    into.losses = lossSum;
    into.policyChosen = sums[0] as number;
    into.policyRejected = sums[1] as number;
    into.chosenRatio = sums[2] as number;
    into.rejectedRatio = sums[3] as number;
    into.wins = sums[4] as number;
    into.others = sums[5] as number;
  };

  const scan: Scan = (values) => {
    if (arrayKind(values) === "Float64Array") return scanValues(values);
    let least = Infinity;
    let sum = 0;
    const count = lengthOf(values);
    for (let start = 0; start < count; start += PIECE) {
      const n = Math.min(PIECE, count - start);
      if (arrayKind(values) === "Int32Array") {
        kernels.scan_i32(placeIntegers(values, "chosenLengths", start, n), n, sumsAt);
      } else kernels.scan_f32(place(values, "termLosses", start, n), n, sumsAt);
      least = Math.min(least, sums[0] as number);
      sum += sums[1] as number;
    }
    return { least, sum };
  };

  return { compute, scan };
}

type LengthSlot = Extract<(typeof slots)[number], `${string}Lengths`>;

type WideSlot = Extract<(typeof slots)[number], `${"own" | "policy"}${string}` | `${string}Rewards`>;

// Log-ratios of float64 inputs are formed in float64, metrics with them; the kernels then take them with a reference of 0.
function widen(job: PairJob, start: number, n: number, to: Record<WideSlot, Float32Array>, sums: Float64Array): void {
  const { policyChosen, policyRejected, referenceChosen, referenceRejected } = job;
  const { beta } = job.plan;
  const ofRows = isOfRows(job.plan);
  let [chosen, rejected, chosenRatio, rejectedRatio, wins, others] = sums as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let k = 0, i = start; k < n; k++, i++) {
    const pc = policyChosen[i] as number;
    const pr = policyRejected[i] as number;
    const a = pc - (referenceChosen ? (referenceChosen[i] as number) : 0);
    const c = pr - (referenceRejected ? (referenceRejected[i] as number) : 0);
    to.ownChosen[k] = pc;
    to.ownRejected[k] = pr;
    to.policyChosen[k] = a;
    to.policyRejected[k] = c;
    to.chosenRewards[k] = beta * a;
    to.rejectedRewards[k] = beta * c;
    if (ofRows) {
      if (Number.isNaN(a)) continue;
      if (c > 0) {
        chosen += pc;
        chosenRatio += a;
        wins++;
      } else {
        rejected += pc;
        rejectedRatio += a;
        others++;
      }
      continue;
    }
    chosen += pc;
    rejected += pr;
    chosenRatio += a;
    rejectedRatio += c;
    wins += a > c ? 1 : 0;
  }
  sums.set([chosen, rejected, chosenRatio, rejectedRatio, wins, others]);
}

const isFloat64 = (array: Numbers | undefined): boolean => arrayKind(array) === "Float64Array";

const isWide = ({ policyChosen, policyRejected, referenceChosen, referenceRejected }: PairJob): boolean =>
  isFloat64(policyChosen) || isFloat64(policyRejected) || isFloat64(referenceChosen) || isFloat64(referenceRejected);

/** Whether an array shares memory with one that the job reads. */
const isRead = (job: PairJob, array: Float32Array<ArrayBufferLike>): boolean =>
  pairColumns.some(({ name }) => job[name] !== undefined && overlap(job[name], array));
