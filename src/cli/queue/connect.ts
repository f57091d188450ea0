// BullMQ and its client of Redis, which users of a queue install beside this package, and connections that outlive Redis.

import { importPeer } from "../peer.ts";
import { refusal } from "../refusal.ts";
import type { Task } from "./task.ts";

/** What is used of a job. */
export interface QueueJob {
  readonly id?: string;
  readonly data: Task;
  readonly returnvalue: unknown;
  readonly failedReason?: string;
  moveToDelayed(time: number, token?: string): Promise<void>;
}

/** What is used of a queue. */
export interface Queue {
  addBulk(jobs: readonly { name: string; data: Task; opts: object }[]): Promise<readonly QueueJob[]>;
  getJobState(id: string): Promise<string>;
  getJob(id: string): Promise<QueueJob | undefined>;
  getWorkersCount(): Promise<number>;
  remove(id: string): Promise<number>;
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}

/** What is used of a worker. */
export interface QueueWorker {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "failed", listener: (job: QueueJob | undefined, error: Error) => void): unknown;
  on(event: "completed", listener: (job: QueueJob) => void): unknown;
  on(event: "closed", listener: () => void): unknown;
  close(): Promise<void>;
}

interface BullMq {
  readonly Queue: new (name: string, options: object) => Queue;
  readonly Worker: new (
    name: string,
    work: (job: QueueJob, token?: string) => Promise<unknown>,
    options: object,
  ) => QueueWorker;
  readonly UnrecoverableError: new (message: string) => Error;
  readonly DelayedError: new (message?: string) => Error;
}

/** What is used of a client of Redis. */
export interface Redis {
  connect(): Promise<void>;
  ping(): Promise<string>;
  eval(script: string, keys: number, ...words: string[]): Promise<unknown>;
  on(event: "error" | "ready", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

export interface Connected {
  readonly bullmq: BullMq;
  readonly redis: Redis;
  /** Without user and password. */
  readonly name: string;
}

/** Connects, or says why that cannot be. Later losses of the connection are told on standard error, and waited out. */
export async function connect(url: string, flag: string): Promise<Connected> {
  const name = nameOf(url, flag);
  const bullmq = await importPeer<BullMq>("bullmq", flag, "bullmq ioredis");
  const ioredis = await importPeer<{ Redis: new (url: string, options: object) => Redis }>(
    "ioredis",
    flag,
    "bullmq ioredis",
  );
  const probe = new ioredis.Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5000 });
  let problem: Error | undefined;
  probe.on("error", (error) => {
    problem = error;
  });
  try {
    await probe.connect();
    await probe.ping();
  } catch (error) {
    throw Object.assign(refusal(`${flag}: ${name}: ${messageOf(problem ?? error)}`), { exitCode: 1 });
  } finally {
    probe.disconnect();
  }
  const redis = new ioredis.Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(times * 100, 2000),
  });
  tellLosses(redis, name);
  return { bullmq, redis, name };
}

function tellLosses(redis: Redis, name: string): void {
  let isLost = false;
  redis.on("error", (error) => {
    if (!isLost) console.error(`${name}: ${messageOf(error)}; waiting for it to come back`);
    isLost = true;
  });
  redis.on("ready", () => {
    if (isLost) console.error(`${name}: is back`);
    isLost = false;
  });
}

function nameOf(url: string, flag: string): string {
  if (!URL.canParse(url) || !/^rediss?:/.test(url)) throw refusal(`${flag}: expected redis://host:port, got ${url}`);
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

const messageOf = (error: unknown): string => (error instanceof Error && error.message ? error.message : String(error));
