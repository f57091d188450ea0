// What a pool must do in every runtime, through the built package: returns a report for a test to compare, no more.
// Plain JavaScript, no imports but the package: it runs as it stands in Node, Deno, Bun and in a page without a bundler.

import { createWasm, DpoError } from "../../dist/index.js";
import { createPool } from "../../dist/pool.js";

const VOCAB = 32_000;
const options = { lossType: "ipo", beta: 0.1 };

/** Logits and tokens that are the same everywhere: `tokens` of them, half of each pair chosen. */
function makeBatch(tokens, make = (n) => new Float32Array(n)) {
  const logits = make(tokens * VOCAB);
  let seed = 1;
  for (let i = 0; i < logits.length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    logits[i] = seed * 2 ** -28;
  }
  const pairs = 4;
  const per = tokens / (2 * pairs);
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, row) => row * per);
  const targets = Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % VOCAB);
  const reference = { logps: Float64Array.from({ length: 2 * pairs }, (_, row) => -8 * per - row) };
  return { tokens: { pairs, offsets, targets }, vocab: VOCAB, logits, reference };
}

const sameBits = (a, b) => {
  const [x, y] = [a, b].map(({ buffer, byteOffset, length }) => new Int32Array(buffer, byteOffset, length));
  return x.length === y.length && x.every((bits, i) => bits === y[i]);
};

const sameResult = (a, b) =>
  a.loss === b.loss && ["losses", "gradChosen", "gradLogits"].every((name) => sameBits(a[name], b[name]));

const isSharedArray = ({ buffer }) => Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]";

/** What a promise rejects with, as far as a caller may rely on it. */
const refusal = (promise) =>
  promise.then(
    () => "no error",
    (error) => ({ name: error.name, code: error.code, typed: error instanceof DpoError, cause: error.cause?.name }),
  );

function startWorker(path) {
  const url = new URL(path, import.meta.url);
  if (typeof Worker === "function") return new Worker(url, { type: "module" });
  return new (process.getBuiltinModule("node:worker_threads").Worker)(url);
}

/** A pool of two workers that are known from outside. */
async function watchedPool(path = "../../dist/worker.js", more = {}) {
  const workers = [];
  const createWorker = () => {
    workers.push(startWorker(path));
    return workers.at(-1);
  };
  return { workers, pool: await createPool({ workers: 2, createWorker, ...more }) };
}

async function calls(report) {
  const wasm = await createWasm();
  const pool = await createPool({ workers: 2 });
  const batch = makeBatch(64);
  const want = wasm.logitsLoss(batch, options);
  report.reason = pool.reason;
  report.loss = want.loss;
  report.workersGiveTheSameBits = sameResult(await pool.logitsLoss(batch, options), want);

  const own = makeBatch(64, (n) => pool.allocate("f32", n));
  report.allocatesShared = isSharedArray(own.logits);
  const inPlace = await pool.logitsLoss(own, { ...options, inPlace: true });
  report.inPlaceGivesTheSameBits = inPlace.gradLogits === own.logits && sameResult(inPlace, want);
  pool.free(own.logits);

  const given = makeBatch(64);
  const moved = await pool.logitsLoss(given, { ...options, transfer: true });
  report.transferGivesTheSameBits = given.logits.byteLength === 0 && sameResult(moved, want);

  await pool.dispose();
  report.afterDispose = await refusal(pool.logitsLoss(batch, options));
  wasm.dispose();
}

async function failures(report) {
  const big = makeBatch(512);
  const small = makeBatch(64);
  const { pool, workers } = await watchedPool();
  const want = await pool.logitsLoss(small, options);
  report.workersStarted = workers.length;

  const controller = new AbortController();
  let progress = 0;
  const onProgress = () => {
    progress++;
    controller.abort(new RangeError("on purpose"));
  };
  report.abortInMidCall = await refusal(pool.logitsLoss(big, { ...options, signal: controller.signal, onProgress }));
  report.abortedAfterProgress = progress > 0;

  // Given away, so that one worker holds all of it until the call ends, and the call cannot go on elsewhere.
  const held = refusal(pool.logitsLoss({ ...big, logits: big.logits.slice() }, { ...options, transfer: true }));
  setTimeout(() => workers.slice(0, 2).forEach((worker) => void worker.terminate()), 5);
  report.terminatedInMidCall = await held;
  report.goesOn = sameResult(await pool.logitsLoss(small, options), want);
  report.workersReplaced = workers.length;

  // Workers are in the middle of their shards then.
  let ended;
  const dispose = () => {
    ended ??= pool.dispose();
  };
  report.disposedInMidCall = await refusal(pool.logitsLoss(big, { ...options, onProgress: dispose }));
  await ended;
}

async function badWorkers(report) {
  const batch = makeBatch(64);
  for (const [name, path] of [
    ["workerThatThrows", "workers/throws.js"],
    ["workerFileMissing", "workers/missing.js"],
  ]) {
    const { pool } = await watchedPool(path, { timeout: 20_000 });
    report[name] = await refusal(pool.logitsLoss(batch, options));
    await pool.dispose();
  }
  const { pool } = await watchedPool("workers/no-memory.js");
  const ratios = () => Float32Array.from({ length: 1 << 15 }, (_, i) => -(i % 97));
  const pairs = { policyChosen: ratios(), policyRejected: ratios() };
  report.typedErrorOfWorker = await refusal(pool.pairLoss(pairs, { lossType: "aot", referenceFree: true }));
  await pool.dispose();
}

/** The whole scenario: some 300 MB of logits in all, a second or two. */
export async function runScenario() {
  const report = { isolated: globalThis.crossOriginIsolated ?? null };
  await calls(report);
  await failures(report);
  await badWorkers(report);
  return report;
}
