// A process of its own for dropped.test.ts, run with --expose-gc: what becomes of the workers of a pool that is dropped.

import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { breakEven } from "../../../src/backends/pool/break-even.ts";
import { createPool } from "../../../src/pool.ts";
import { randomLogits } from "../../support/logits.ts";

breakEven.logits = 0;
const small = randomLogits({ pairs: 1, length: 4, vocab: 50, seed: 1 });
const { gc } = globalThis as unknown as { gc: () => void };
let alive = 0;

function createWorker(): Worker {
  const worker = new Worker(new URL("../../../src/worker.ts", import.meta.url));
  alive++;
  worker.on("exit", () => alive--);
  return worker;
}

const open = () => createPool({ workers: 2, memory: process.argv[2] as "shared" | "transfer", createWorker });

/** Collects garbage until no worker is left, for so many milliseconds at most: what is to go may take its time. */
async function collect(most = 10_000): Promise<void> {
  for (const end = performance.now() + most; performance.now() < end && alive > 0; ) {
    gc();
    await setTimeout(10);
  }
}

async function useAndDrop(): Promise<void> {
  const pool = await open();
  await pool.logitsLoss(small);
}

async function useAndKeepOneFunction() {
  const { sequenceLogps } = await open();
  await sequenceLogps(small);
  return sequenceLogps;
}

async function dropUnderWay(): Promise<{ call: Promise<{ loss: number }> }> {
  const pool = await open();
  return { call: pool.logitsLoss(small) };
}

await useAndDrop();
await collect();
const afterDrop = alive;

let kept: Awaited<ReturnType<typeof useAndKeepOneFunction>> | undefined = await useAndKeepOneFunction();
await collect(400);
const whileKept = alive;
const { logps } = await kept(small);
kept = undefined;
await collect();
const afterLast = alive;

const { call } = await dropUnderWay();
gc();
const { loss } = await call;
await collect();
console.log(JSON.stringify({ afterDrop, whileKept, works: logps.length, afterLast, loss: loss > 0, afterCall: alive }));
