// The planner of a job: puts its shards into the queue, never many at once, and takes what they come to.

import { resolve } from "node:path";
import { type Fingerprint, hashOfText } from "../fingerprint.ts";
import type { Bar } from "../rate-bar.ts";
import { refusal } from "../refusal.ts";
import type { ComputeShards, Job } from "../score/run.ts";
import type { Shard, Shards } from "../score/shards.ts";
import { connect, type Queue } from "./connect.ts";
import { namesBelow } from "./names.ts";
import { type PlannedShard, planShards } from "./plan.ts";
import { becomePlanner } from "./planner-lock.ts";
import { queueName, type Task } from "./task.ts";

/** Shards in the queue at once: enough for workers never to wait, and Redis holds no more, however large the job. */
const ahead = 128;

/** Shards come back in about the order that they went in: most of the time, to look at the first is enough. */
const inFront = 32;

/** Results that stay in Redis for a planner of the same job: one that takes over, or writes another file. */
const kept = 1000;

const jobOptions = {
  attempts: 4,
  backoff: { type: "exponential", delay: 1000, jitter: 0.5 },
  removeOnComplete: { count: kept },
  removeOnFail: { count: kept },
  stackTraceLimit: 0,
};

export interface Planner {
  /** Throws    a refusal if shards were set aside */
  readonly compute: ComputeShards;
  close(): Promise<void>;
}

/** Resolves when no other planner works on a job of this fingerprint. */
export async function openPlanner(url: string, fingerprint: Fingerprint): Promise<Planner> {
  const { bullmq, redis, name } = await connect(url, "--queue");
  const queue = new bullmq.Queue(queueName, { connection: redis, streams: { events: { maxLen: 100 } } });
  queue.on("error", () => {}); // what the connection has told already
  const free = await becomePlanner(redis, hashOf(fingerprint), () =>
    console.error(`${name}: another planner works on this job; waiting for it to end`),
  );
  return {
    compute: (job, shards, bar) => compute(queue, name, job, fingerprint, shards, bar),
    close: async () => {
      await soon(free());
      await soon(queue.close());
      redis.disconnect();
    },
  };
}

async function compute(
  queue: Queue,
  name: string,
  job: Job,
  fingerprint: Fingerprint,
  shards: Shards,
  bar: Bar,
): Promise<number> {
  const taskOf = taskMaker(job, fingerprint);
  const plan = planShards(job.paths, job.shardSize);
  const waiting = new Map<string, PlannedShard>();
  const aside: string[] = [];
  const stop = stopSignal();
  const count = watchWorkers(queue, name, bar);
  let [found, done, isPlanned] = [0, 0, false];
  let looks: Promise<unknown> = Promise.resolve();

  async function fill(): Promise<void> {
    const more: PlannedShard[] = [];
    while (!isPlanned && waiting.size + more.length < ahead) {
      const { value: shard, done: isLast } = await plan.next();
      if (isLast) isPlanned = true;
      else if (!shards.has(shard.index)) more.push(shard);
      else {
        found++;
        bar.advance(shard.rows, false);
      }
    }
    const ids = more.map((shard) => idOf(fingerprint, shard));
    // Set aside by an earlier planner: the command was given again, so they are tried again.
    await Promise.all(ids.map(async (id) => (await queue.getJobState(id)) === "failed" && queue.remove(id)));
    if (stop.signal.aborted) return;
    for (const [i, shard] of more.entries()) waiting.set(ids[i] as string, shard);
    await add(more);
  }

  // A shard that is in the queue, or was computed and is still there, is not put in again: its name is the same.
  const add = async (more: readonly PlannedShard[]): Promise<void> => {
    const jobs = more.map((shard) => ({
      name: "shard",
      data: taskOf(shard),
      opts: { ...jobOptions, jobId: idOf(fingerprint, shard) },
    }));
    if (jobs.length > 0) await queue.addBulk(jobs);
  };

  async function look(id: string, shard: PlannedShard): Promise<void> {
    const state = await queue.getJobState(id);
    // Redis came back without it.
    if (state === "unknown") return add([shard]);
    if (state !== "completed" && state !== "failed") return;
    const result = await queue.getJob(id);
    if (!result) return;
    if (state === "failed") aside.push(`${shard.place}: ${result.failedReason}`);
    else {
      await shards.write(shard.index, JSON.parse(String(result.returnvalue)) as Shard);
      done++;
      bar.advance(shard.rows, true);
    }
    waiting.delete(id);
  }

  try {
    for (let round = 0; !stop.signal.aborted; round++) {
      await orStopped(fill(), stop.signal);
      if (isPlanned && waiting.size === 0) break;
      const looked = [...waiting].slice(0, round % 10 === 0 ? ahead : inFront);
      looks = Promise.all(looked.map(([id, shard]) => look(id, shard)));
      await orStopped(looks, stop.signal);
      await orStopped(new Promise((go) => setTimeout(go, 200)), stop.signal);
    }
    if (stop.signal.aborted) {
      // What is being written is written.
      await soon(looks);
      const text = `cancelled with ${found + done} shards done, which stay in ${job.out}.job; the same command goes on from there`;
      throw Object.assign(refusal(text), { exitCode: 130 });
    }
  } finally {
    stop.end();
    count.end();
    // After Ctrl-C or an error, such as a full disk. Those that a worker has in hand stay, and are found if the job goes on.
    await soon(Promise.allSettled([...waiting.keys()].map((id) => queue.remove(id))));
    await plan.return(undefined);
  }
  if (aside.length > 0) refuseAside(aside, found + done);
  return found;
}

function refuseAside(aside: readonly string[], done: number): never {
  const most = 20;
  for (const text of aside.slice(0, most)) console.error(text);
  if (aside.length > most) console.error(`and ${aside.length - most} more`);
  const text = `${aside.length} of ${aside.length + done} shards were set aside, as told above; the same command tries them again`;
  throw Object.assign(refusal(text), { exitCode: 1 });
}

/** How many workers there are, for the bar. */
function watchWorkers(queue: Queue, name: string, bar: Bar): { end(): void } {
  let before: number | undefined;
  const look = async (): Promise<void> => {
    const workers = await queue.getWorkersCount();
    if (workers === before) return;
    before = workers;
    const none = `no worker yet: dpo-kernels score --work ${name} starts one`;
    bar.note(workers === 0 ? none : `${workers} ${workers === 1 ? "worker" : "workers"}`);
  };
  const first = setTimeout(() => void look().catch(() => {}), 1000);
  const timer = setInterval(() => void look().catch(() => {}), 5000);
  return {
    end() {
      clearTimeout(first);
      clearInterval(timer);
    },
  };
}

/** Aborted by Ctrl-C or a polite end; the second one ends the process as ever. */
function stopSignal(): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = (): void => {
    end();
    controller.abort();
  };
  const end = (): void => {
    for (const name of ["SIGINT", "SIGTERM"]) process.off(name, abort);
  };
  for (const name of ["SIGINT", "SIGTERM"]) process.on(name, abort);
  return { signal: controller.signal, end };
}

/** Waits no longer when the signal is aborted: Redis may be away, and commands to it then wait for it. */
async function orStopped(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stopped = (): void => {};
  const stop = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  signal.addEventListener("abort", stopped);
  try {
    await Promise.race([work, stop]);
  } finally {
    // A job of days waits some million times.
    signal.removeEventListener("abort", stopped);
  }
}

/** What is good to do, but not to be waited for where Redis is away. */
const soon = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work.catch(() => {}), new Promise((go) => setTimeout(go, 3000).unref())]);

function taskMaker(job: Job, fingerprint: Fingerprint): (shard: PlannedShard) => Task {
  const { paths, ...settings } = job;
  const absolute = paths.map((path) => resolve(path));
  const { model, reference } = job;
  const own = {
    ...settings,
    model: resolve(model),
    reference: reference === undefined ? undefined : resolve(reference),
  };
  const shared = { job: own, fingerprint, paths: absolute, names: namesBelow(absolute) };
  return ({ pieces, digest, place }) => ({ ...shared, pieces, digest, place });
}

const hashOf = (value: unknown): string => hashOfText(JSON.stringify(value));

const idOf = (fingerprint: Fingerprint, { index, digest }: PlannedShard): string =>
  hashOf([fingerprint, index, digest]);
