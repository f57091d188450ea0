// pairLoss on the SIMD kernels: the caller's arrays go through a small staging area that stays in cache, a piece at a time;
// arrays that lie in the backend's memory are used in place.

import type { Loss } from "../losses/define.ts";
import { losses } from "../losses/index.ts";
import { overlap, type PairJob, type PairSums, type Scan, scanValues } from "../pairs.ts";
import { arrayKind, type Term } from "../plan.ts";
import type { LengthArray } from "../types.ts";
import type { KernelExports } from "../wasm/load.ts";
import { type KernelName, kernelConstants } from "./constants.gen.ts";
import type { PairEngine } from "./pair-loss.ts";
import type { Sorted, Sorter } from "./wasm-sort.ts";

/** Pairs per piece. measured: docs/performance.md, "Piece size". */
const PIECE = 4096;

const slotNames = [
  "policyChosen",
  "policyRejected",
  "referenceChosen",
  "referenceRejected",
  "chosenLengths",
  "rejectedLengths",
  "weights",
  "losses",
  "gradChosen",
  "gradRejected",
  "chosenRewards",
  "rejectedRewards",
  // A term's results before they are added to those of the terms before it.
  "termLosses",
  "termChosen",
  "termRejected",
  // Margin and its derivatives under an f-divergence.
  "margin",
  "marginChosen",
  "marginRejected",
  "zeros",
  "ones",
] as const;
type Slot = (typeof slotNames)[number];

const CONSTANTS_BYTES = 64;
const SUMS_BYTES = 64;

/** The memory that pairLoss needs, whatever the batch. */
export const stagingBytes = slotNames.length * PIECE * 4 + CONSTANTS_BYTES + SUMS_BYTES;

// Kernels by the function they were printed from: a loss of the user's with a known name is still another loss. AOT has
// that of the margin loss it sorts around.
const kernelNames = new Map<unknown, { name: KernelName; normalised: boolean }>();
for (const loss of Object.values(losses) as Loss[]) {
  if ("likelihood" in loss || ("margin" in loss && loss.sorted)) continue;
  const normalised = "margin" in loss && loss.normalised === true;
  kernelNames.set("margin" in loss ? loss.margin : loss.pair, { name: `pair_${loss.id}` as KernelName, normalised });
}

/** The kernel that computes a loss, if it is built in. */
export function kernelOf(loss: Loss): KernelName | undefined {
  if ("likelihood" in loss) return undefined;
  const kernel = kernelNames.get("margin" in loss ? loss.margin : loss.pair);
  return kernel?.normalised === ("margin" in loss && loss.normalised === true) ? kernel.name : undefined;
}

/** The addresses of one piece of the batch. */
interface Piece {
  start: number;
  n: number;
  pc: number;
  pr: number;
  /** The reference as the losses see it: zeros where it does not count. */
  rc: number;
  rr: number;
  referenceChosen: number;
  referenceRejected: number;
  nw: number;
  nl: number;
}

const nowhere: Piece = {
  start: 0,
  n: 0,
  pc: 0,
  pr: 0,
  rc: 0,
  rr: 0,
  referenceChosen: 0,
  referenceRejected: 0,
  nw: 0,
  nl: 0,
};

/** Where losses and gradients of a piece are written: three addresses. */
type Outputs = readonly [losses: number, gradChosen: number, gradRejected: number];

/** Makes the engine that `pairLoss` runs on, with its staging area from byte `base` of the memory on. */
export function pairEngine(
  kernels: KernelExports,
  memory: WebAssembly.Memory,
  base: number,
  sorter: Sorter,
): PairEngine {
  const { buffer } = memory;
  const heap = new Float32Array(buffer);
  const at = {} as Record<Slot, number>;
  const views = {} as Record<Slot, Float32Array>;
  slotNames.forEach((name, i) => {
    at[name] = base + i * PIECE * 4;
    views[name] = new Float32Array(buffer, at[name], PIECE);
  });
  views.ones.fill(1);
  const constantsAt = base + slotNames.length * PIECE * 4;
  const sumsAt = constantsAt + CONSTANTS_BYTES;
  const sums = new Float64Array(buffer, sumsAt, 5);
  const resultSlots: Outputs = [at.losses, at.gradChosen, at.gradRejected];
  const termSlots: Outputs = [at.termLosses, at.termChosen, at.termRejected];
  const marginSlots: Outputs = [at.margin, at.marginChosen, at.marginRejected];

  const isHere = (array: LengthArray): boolean => array.buffer === buffer && arrayKind(array) === "Float32Array";

  // The address of a piece of an input: where it lies, or its copy in the slot.
  const place = (
    array: LengthArray | undefined,
    slot: Slot,
    otherwise: Slot,
    { start, n }: Pick<Piece, "start" | "n">,
  ): number => {
    if (array === undefined) return at[otherwise];
    if (isHere(array)) return array.byteOffset + 4 * start;
    copy(array, start, views[slot], 0, n);
    return at[slot];
  };

  const stage = (job: PairJob, piece: Piece): void => {
    const { referenceFree } = job.plan;
    piece.pc = place(job.policyChosen, "policyChosen", "zeros", piece);
    piece.pr = place(job.policyRejected, "policyRejected", "zeros", piece);
    piece.referenceChosen = place(job.referenceChosen, "referenceChosen", "zeros", piece);
    piece.referenceRejected = place(job.referenceRejected, "referenceRejected", "zeros", piece);
    piece.rc = referenceFree ? at.zeros : piece.referenceChosen;
    piece.rr = referenceFree ? at.zeros : piece.referenceRejected;
  };

  // What the metrics need. After the losses, not before: measured 10 % faster at 1e6 pairs from memory.
  const measure = ({ plan, chosenRewards, rejectedRewards }: PairJob, piece: Piece): void => {
    const { pc, pr, referenceChosen, referenceRejected, n } = piece;
    kernels.pair_stats_f32(pc, pr, referenceChosen, referenceRejected, n, sumsAt);
    if (chosenRewards) kernels.scaled_difference_f32(pc, referenceChosen, at.chosenRewards, n, plan.beta);
    if (rejectedRewards) kernels.scaled_difference_f32(pr, referenceRejected, at.rejectedRewards, n, plan.beta);
  };

  // Log-ratios of float64 inputs are formed in float64, metrics with them; the kernels take them with a reference of 0.
  const stageWide = (job: PairJob, piece: Piece): void => {
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = job;
    const { beta, referenceFree } = job.plan;
    for (let k = 0, i = piece.start; k < piece.n; k++, i++) {
      const p = policyChosen[i] as number;
      const q = policyRejected[i] as number;
      const a = p - (referenceChosen ? (referenceChosen[i] as number) : 0);
      const c = q - (referenceRejected ? (referenceRejected[i] as number) : 0);
      views.policyChosen[k] = referenceFree ? p : a;
      views.policyRejected[k] = referenceFree ? q : c;
      views.chosenRewards[k] = beta * a;
      views.rejectedRewards[k] = beta * c;
      addTo(sums, p, q, a, c);
    }
    piece.pc = at.policyChosen;
    piece.pr = at.policyRejected;
    piece.rc = piece.rr = at.zeros;
  };

  const run = (name: KernelName, params: readonly number[], piece: Piece, [losses, gc, gr]: Outputs): void => {
    const make: (...params: number[]) => readonly number[] = kernelConstants[name];
    heap.set(make(...params), constantsAt / 4);
    const { pc, pr, rc, rr, nw, nl, n } = piece;
    kernels[`${name}_f32`](pc, pr, rc, rr, nw, nl, losses, gc, gr, n, constantsAt);
  };

  // The margin under the divergence, the loss of it as if it were a log-ratio, the chain rule.
  const runDiverged = (kernel: KernelName, gradScale: number, term: Term, piece: Piece, out: Outputs): void => {
    const { loss, divergence, params } = term;
    if (!divergence) return run(kernel, [gradScale, ...params], piece, out);
    const normalised = "margin" in loss && loss.normalised;
    const lengths = normalised ? {} : { nw: at.ones, nl: at.ones };
    run(`margin_${divergence.id}`, divergence.constants, { ...piece, ...lengths }, marginSlots);
    const { margin, zeros, ones } = at;
    const asRatio = { ...piece, pc: margin, pr: zeros, rc: zeros, rr: zeros, nw: ones, nl: ones };
    run(kernel, [gradScale, ...params], asRatio, out);
    kernels.chain_f32(out[1], at.marginRejected, out[2], piece.n);
    kernels.chain_f32(out[1], at.marginChosen, out[1], piece.n);
  };

  const runTerm = (
    term: Term,
    j: number,
    job: PairJob,
    sorted: Sorted | undefined,
    piece: Piece,
    out: Outputs,
  ): void => {
    const { loss, weight } = term;
    const { start, n } = piece;
    const gradScale = weight * job.scale;
    const kernel = kernelOf(loss);
    const isLikelihood = "likelihood" in loss;
    if (isLikelihood) {
      const [value, slope] = job.likelihood(j);
      kernels.likelihood_f32(piece.pc, ...out, n, value, slope * gradScale * job.pairs);
    } else if (sorted) {
      sorted.forEach((values, k) => copy(values, start, heap, (out[k] as number) / 4, n));
    } else if (kernel) {
      runDiverged(kernel, gradScale, term, piece, out);
    }
    if (weight !== 1) kernels.scale_f32(out[0], n, weight);
    if (!job.weights) return;
    const weights = place(job.weights, "weights", "ones", piece);
    for (const address of isLikelihood ? [out[0]] : out) kernels.multiply_f32(weights, address, n);
  };

  const scan: Scan = (values) => {
    if (arrayKind(values) === "Float64Array") return scanValues(values);
    let [least, sum] = [Infinity, 0];
    for (let start = 0; start < values.length; start += PIECE) {
      const n = Math.min(PIECE, values.length - start);
      kernels.scan_f32(place(values, "termLosses", "zeros", { start, n }), n, sumsAt);
      least = Math.min(least, sums[0] as number);
      sum += sums[1] as number;
    }
    return { least, sum };
  };

  const compute = (job: PairJob): PairSums => {
    const { plan, pairs, chosenLengths, rejectedLengths, chosenRewards, rejectedRewards } = job;
    const sorted = plan.terms.map((term, j) => sorter(term, j, job));
    const wide = isWide(job);
    const inputs = inputsOf(job);
    const results = [job.losses, job.gradChosen, job.gradRejected] as const;
    // A result that lies in our memory is written there, unless an input that is still to be read lies there too.
    const direct = results.map((array) => isHere(array) && !inputs.some((input) => overlap(input, array)));
    const piece: Piece = { ...nowhere };
    sums.fill(0);
    let losses = 0;
    for (; piece.start < pairs; piece.start += PIECE) {
      const { start } = piece;
      const n = Math.min(PIECE, pairs - start);
      piece.n = n;
      if (wide) stageWide(job, piece);
      else stage(job, piece);
      piece.nw = place(chosenLengths, "chosenLengths", "ones", piece);
      piece.nl = place(rejectedLengths, "rejectedLengths", "ones", piece);
      const out = results.map((array, k) =>
        direct[k] ? array.byteOffset + 4 * start : resultSlots[k],
      ) as never as Outputs;
      plan.terms.forEach((term, j) => {
        runTerm(term, j, job, sorted[j], piece, j === 0 ? out : termSlots);
        if (j > 0) out.forEach((address, k) => kernels.add_f32(termSlots[k] as number, address, n));
      });
      if (job.hasEmpty) {
        kernels.clear_empty_f32(piece.nw, out[1], n);
        kernels.clear_empty_f32(piece.nl, out[2], n);
      }
      if (!wide) measure(job, piece);
      losses += kernels.sum_f32(out[0], n);
      results.forEach((array, k) => {
        if (!direct[k]) copy(heap, (out[k] as number) / 4, array, start, n);
      });
      if (chosenRewards) copy(views.chosenRewards, 0, chosenRewards, start, n);
      if (rejectedRewards) copy(views.rejectedRewards, 0, rejectedRewards, start, n);
    }
    const [policyChosen = 0, policyRejected = 0, chosenRatio = 0, rejectedRatio = 0, wins = 0] = sums;
    return { losses, policyChosen, policyRejected, chosenRatio, rejectedRatio, wins };
  };
  return { compute, scan };
}

// Below this many elements a loop beats the set-up of TypedArray.set.
const SMALL = 32;

function copy(from: LengthArray, start: number, to: LengthArray, at: number, n: number): void {
  if (n > SMALL) return to.set(n === from.length ? from : from.subarray(start, start + n), at);
  for (let i = 0; i < n; i++) to[at + i] = from[start + i] as number;
}

function addTo(sums: Float64Array, pc: number, pr: number, a: number, c: number): void {
  sums[0] = (sums[0] as number) + pc;
  sums[1] = (sums[1] as number) + pr;
  sums[2] = (sums[2] as number) + a;
  sums[3] = (sums[3] as number) + c;
  sums[4] = (sums[4] as number) + (a > c ? 1 : 0);
}

const inputsOf = (job: PairJob): LengthArray[] =>
  [
    job.policyChosen,
    job.policyRejected,
    job.referenceChosen,
    job.referenceRejected,
    job.chosenLengths,
    job.rejectedLengths,
    job.weights,
  ].filter((array) => array !== undefined);

const isWide = ({ policyChosen, policyRejected, referenceChosen, referenceRejected }: PairJob): boolean =>
  [policyChosen, policyRejected, referenceChosen, referenceRejected].some(
    (array) => arrayKind(array) === "Float64Array",
  );
