// AOT on the kernels: sorting couples the whole batch, so it has an instance and a memory of its own.

import { sortKeys } from "../cpu/evaluate.ts";
import type { PairJob } from "../inputs/pairs.ts";
import { isSorting } from "../losses/kinds.ts";
import { kernelConstants } from "../plan/constants.gen.ts";
import { kernelOf } from "../plan/kernel-of.ts";
import type { Term } from "../plan/plan.ts";
import { growing, layOut } from "./growing-memory.ts";
import type { KernelExports } from "./load.ts";

/** Losses by rank, gradients by pair: views that hold until the next call. */
export type Sorted = readonly [losses: Float32Array, gradChosen: Float32Array, gradRejected: Float32Array];

/** Losses and gradients of a whole batch under a sorted loss; undefined for the others. */
export type Sorter = (term: Term, j: number, job: PairJob) => Sorted | undefined;

/** The margin loss takes its zero log-probs, ranks at a time. */
const ZEROS = 4096;

/** Makes the sorter of a backend; it takes no memory until a sorted loss is asked for. */
export function createSorter(module: WebAssembly.Module): Sorter {
  const reserve = growing(module, "aot");

  return (term, j, job) => {
    const { loss, weight, params } = term;
    const kernel = isSorting(loss) ? kernelOf(loss) : undefined;
    if (!kernel) return undefined;
    const { pairs } = job;
    const places = layout(reserve(0).kernels, pairs, job.plan.terms.length);
    const { kernels, buffer } = reserve(places.end);

    const { u, v, uOrder, vOrder, keys2, order2, counts, zeros, constants } = places;
    sortKeys(term, job, new Float64Array(buffer, u, pairs), new Float64Array(buffer, v, pairs));
    kernels.argsort_f64(u, uOrder, keys2, order2, counts, pairs);
    kernels.argsort_f64(v, vOrder, keys2, order2, counts, pairs);

    // The keys are in order now, so their scratch is free: margins by rank, then gradients by rank.
    const margins = keys2;
    const slopes = order2;
    const [losses, gradChosen, gradRejected] = places.results(j);
    kernels.difference_f64(u, v, margins, pairs);
    const make: (...params: number[]) => readonly number[] = kernelConstants[kernel];
    new Float32Array(buffer, constants).set(make(weight * job.scale, ...params));
    const negated = keys2 + 4 * pairs;
    for (let start = 0; start < pairs; start += ZEROS) {
      const i = 4 * start;
      const n = Math.min(ZEROS, pairs - start);
      const out = [losses + i, slopes + i, negated + i] as const;
      kernels[`${kernel}_f32`](margins + i, zeros, zeros, zeros, zeros, zeros, zeros, ...out, n, constants);
    }
    kernels.scatter_f32(slopes, uOrder, gradChosen, pairs);
    kernels.scatter_f32(negated, loss.batch === "margins" ? uOrder : vOrder, gradRejected, pairs);
    const view = (address: number): Float32Array => new Float32Array(buffer, address, pairs);
    return [view(losses), view(gradChosen), view(gradRejected)];
  };
}

// Scratch for one sort, then the results of each entry of the list of losses.
function layout(kernels: KernelExports, pairs: number, terms: number) {
  const { take, end } = layOut();
  const constants = take(64);
  const zeros = take(4 * ZEROS);
  const counts = take(kernels.SORT_COUNTS_BYTES.value);
  const [u, v, keys2] = [take(8 * pairs), take(8 * pairs), take(8 * pairs)];
  const [uOrder, vOrder, order2] = [take(4 * pairs), take(4 * pairs), take(4 * pairs)];
  const results = Array.from({ length: terms }, () => [take(4 * pairs), take(4 * pairs), take(4 * pairs)] as const);
  const of = (j: number) => results[j] as (typeof results)[number];
  return { constants, zeros, counts, u, v, uOrder, vOrder, keys2, order2, results: of, end: end() };
}
