// pairLoss on workers: stretches of the pairs in shared memory, or a whole batch to sort.

import { transfer } from "comlink";
import { bufferOf, plainView } from "../../checks/views.ts";
import type { PairEngine } from "../../engine.ts";
import { noSums, type PairSums } from "../../inputs/pair-sums.ts";
import type { PairJob } from "../../inputs/pairs.ts";
import type { LossType } from "../../losses/index.ts";
import { isSorting, pairResults } from "../../losses/kinds.ts";
import { isOwn } from "../../losses/own.ts";
import { arrayKind } from "../../messages.ts";
import type { Term } from "../../plan/plan.ts";
import type { FloatArray, LengthArray } from "../../types.ts";
import { pairsAnswer } from "./answers.ts";
import { breakEven, MOST_PAIR_SHARDS, SHARD_PAIRS } from "./break-even.ts";
import { type Answer, type PairsAnswer, type PairsTask, pairArrays, type SentTerm } from "./protocol.ts";
import type { Call } from "./queue.ts";
import { runShards } from "./run-shards.ts";
import { isShared } from "./shared-memory.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** What the engines of all calls share. */
interface PairMeans {
  readonly workers: WorkerPool;
  /** The engine of the calling thread. */
  readonly local: PairEngine<void>;
  /** Whether an array is in the memory that the workers' kernels see. */
  readonly isResident: (array: ArrayBufferView) => boolean;
  /** Whether shared arrays go by reference. */
  readonly shares: boolean;
}

/** The pair stage of one call: on workers where they are worth asking, else on the calling thread. */
export function createPairEngine(means: PairMeans, call: Call): PairEngine {
  const { local, shares } = means;
  return {
    ...local,
    compute(job, sums) {
      const per = pairShard(job, shares);
      if (per === 0) return local.compute(job, sums);
      return computeOnWorkers(means, call, job, sums, per);
    },
  };
}

/** Pairs per shard if workers are worth asking, else 0. A sorted loss couples all pairs, so its batch goes to one of them. */
function pairShard(job: PairJob, shares: boolean): number {
  const { terms } = job.plan;
  // A loss of the user's is known to the calling thread alone.
  if (terms.some(({ loss }) => isOwn(loss))) return 0;
  if (terms.some(({ loss }) => isSorting(loss))) return job.pairs >= breakEven.sortedPairs ? job.pairs : 0;
  const arrays = [...pairArrays, ...pairResults].map((name) => job[name]);
  const allShared = shares && arrays.every((array) => !array || isShared(bufferOf(array)));
  return allShared && job.pairs >= breakEven.sharedPairs ? SHARD_PAIRS : 0;
}

/** Fills the job's results on the workers; sums are added to `total` shard by shard, in order. */
async function computeOnWorkers(
  { workers, isResident, shares }: PairMeans,
  call: Call,
  job: PairJob,
  total: PairSums,
  per: number,
): Promise<void> {
  // Now: results may be written over the very inputs that the likelihood sums.
  const likelihood = job.plan.terms.map(({ loss }, j) =>
    loss.kind === "likelihood" ? job.likelihood(j) : ([0, 0] as const),
  );
  const views = [...pairArrays, ...pairResults].map((name) => [
    name,
    job[name] && plainView(job[name], arrayKind(job[name])),
  ]);
  const plain: PairJob = { ...job, ...Object.fromEntries(views) };
  const fixed = { ...plain, likelihood: (at: number) => likelihood[at] ?? ([0, 0] as const) };
  // Several shards to a message, which takes as long as a fifth of one: where it can be, one message for each worker.
  const shards = Math.ceil(job.pairs / per);
  const messages = Math.min(shards, workers.size * Math.ceil(shards / (workers.size * MOST_PAIR_SHARDS)));
  const starts = Array.from({ length: messages }, (_, i) => per * Math.floor((shards * i) / messages));
  const back = pairResults.filter((name) => job[name]);
  const resident = [...pairArrays, ...pairResults].filter((name) => plain[name] && isResident(plain[name]));
  const stretches = starts.map((start, i) => ({ start, n: (starts[i + 1] ?? job.pairs) - start }));
  const parts = await runShards(workers, call, stretches, async ({ start, n }, worker) => {
    const { sums, results } = await worker.ask<PairsAnswer>(
      (api) => {
        call.held.inputs();
        const task = { ...pack(fixed, start, n, shares), per, resident };
        return api.pairs(transfer(task, ownBuffers(task))) as Promise<Answer<PairsAnswer>>;
      },
      pairsAnswer(n, Math.ceil(n / per), sumNames, back),
    );
    call.held.outputs();
    for (const name of pairResults) {
      const [target, values] = [fixed[name], results[name]];
      if (target && values && !(shares && isShared(target.buffer))) target.set(values, start);
    }
    return sums;
  });
  for (const sums of parts.flat()) for (const name of sumNames) total[name] += sums[name];
}

const sumNames = Object.keys(noSums()) as (keyof PairSums)[];

function pack(job: PairJob, start: number, n: number, shares: boolean): Omit<PairsTask, "per" | "resident"> {
  const part = <A extends LengthArray | FloatArray>(array: A | undefined): A | undefined => {
    const view = array?.subarray(start, start + n) as A | undefined;
    return view && !(shares && isShared(view.buffer)) ? (view.slice() as A) : view;
  };
  const from = <Name extends keyof PairJob>(names: readonly Name[]) =>
    Object.fromEntries(names.map((name) => [name, part(job[name] as LengthArray | undefined)]));
  const { terms, beta, argument, odds } = job.plan;
  return {
    terms: terms.map(sent),
    beta,
    argument,
    odds,
    pairs: n,
    arrays: from(pairArrays) as PairsTask["arrays"],
    hasEmpty: job.hasEmpty,
    likelihood: terms.map((_, j) => {
      const [value, slope] = job.likelihood(j);
      return [value, slope * job.pairs] as const;
    }),
    scale: job.scale,
    results: from(pairResults) as PairsTask["results"],
  };
}

// Both sides have the table of losses and the margins; what a call makes of them travels.
const sent = ({ loss, weight, free, params, divergence }: Term): SentTerm => ({
  id: loss.id as LossType,
  weight,
  free,
  params,
  divergence,
});

function ownBuffers({ arrays, results }: Pick<PairsTask, "arrays" | "results">): ArrayBuffer[] {
  const buffers = [...Object.values(arrays), ...Object.values(results)].map((array) => array?.buffer);
  return [...new Set(buffers)].filter((buffer) => buffer !== undefined && !isShared(buffer)) as ArrayBuffer[];
}
