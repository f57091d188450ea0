// The page that pool-page.bench.ts drives: `measure` lets a pool compute a batch and times how long the page was blocked.

import { createPool } from "../../dist/pool.js";

/** Milliseconds of the longest gap between ticks while `work` runs. Ticks are 4 ms apart: browsers clamp such timers. */
async function longestGap(work) {
  let last = performance.now();
  let longest = 0;
  let running = true;
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setTimeout(tick, 0);
  };
  setTimeout(tick, 0);
  await work();
  running = false;
  tick();
  return longest;
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let prepared;

/** Untimed set-up: fills the logits and starts the workers. */
globalThis.prepare = async (rows, vocab, allocates) => {
  const pool = await createPool({ workers: 2 });
  const logits = allocates ? pool.allocate("f32", rows * vocab) : new Float32Array(rows * vocab);
  const values = Float32Array.from({ length: vocab }, (_, i) => Math.sin(i));
  for (let row = 0; row < rows; row++) logits.set(values, row * vocab);
  const pairs = rows / 256;
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, row) => row * 128);
  const reference = { logps: new Float64Array(2 * pairs).fill(-1300) };
  const targets = Int32Array.from({ length: rows }, (_, i) => (i * 7919) % vocab);
  const batch = { tokens: { pairs, offsets, targets }, vocab, logits, reference };
  await pool.sequenceLogps(batch);
  prepared = { pool, batch };
};

/** Milliseconds: the longest gap while idle and while the pool computes, and how long it computes. */
globalThis.measure = async () => {
  const { pool, batch } = prepared;
  const idle = await longestGap(() => sleep(500));
  performance.mark("begin");
  const start = performance.now();
  const busy = await longestGap(() => pool.logitsLoss(batch, { lossType: "sigmoid", inPlace: true }));
  const took = performance.now() - start;
  performance.mark("end");
  return { idle, busy, took };
};
