// The pool: workers against one thread and against onnxruntime-web on two threads, and the size from which they pay off.

import { breakEven } from "../src/backends/pool/break-even.ts";
import { createWasm } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import { makeProblem, options, type Problem } from "./logits/problem.ts";
import { type Candidate, interleave, type Timing, table } from "./measure.ts";
import * as onnxruntime from "./peers/logits/onnxruntime.ts";
import { save } from "./report.ts";

const shape = { rows: 512, vocab: 32_000 };
const size = shape.rows * shape.vocab;
const schedule = { rounds: Number(process.env["BENCH_ROUNDS"] ?? 8), runs: 2, collect: true };
const relaxedToo = [false, true];

const problem = makeProblem("float32", shape, "f32", "ordinary");
const logits = problem.logits as Float32Array<ArrayBuffer>;
const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(4 * size) as unknown as ArrayBuffer);

/** Forward and backward pass of the whole batch, `from` logits `to` their gradient. */
function both(backend: Pick<Backend, "logitsLoss">, from: Float32Array, to: Float32Array | "in place") {
  const batch = { tokens: problem.tokens, vocab: shape.vocab, logits: from, reference: { logps: problem.reference } };
  const into = to === "in place" ? { inPlace: true } : { out: { gradLogits: to } };
  return () => backend.logitsLoss(batch, { ...options, ...into });
}
type Made = Awaited<ReturnType<typeof createPool>> | Awaited<ReturnType<typeof createWasm>>;
interface Backend {
  logitsLoss: (...args: Parameters<Made["logitsLoss"]>) => unknown;
}

const candidates: Candidate[] = [];
const ownOut = new Float32Array(size);
const [sharedIn, sharedOut] = [shared(), shared()];
sharedIn.set(logits);
const ended: (() => unknown)[] = [];
for (const relaxed of relaxedToo) {
  const build = relaxed ? "relaxed" : "plain";
  const direct = await createWasm({ relaxed, reserve: 4 * size + 4096 });
  const resident = direct.allocate("f32", size);
  const refill = (array: Float32Array) => () => array.set(logits);
  const add = (name: string, run: () => unknown, prepare?: () => void) =>
    candidates.push({ name: `${build}, ${name}`, run, prepare });
  add("this thread, own arrays", both(direct, logits, ownOut));
  add("this thread, allocate in place", both(direct, resident, "in place"), refill(resident));
  for (const workers of [1, 2]) {
    const pool = await createPool({ workers, relaxed });
    const copying = await createPool({ workers, relaxed, memory: "transfer" });
    const own = pool.allocate("f32", size);
    const label = `${workers} worker${workers > 1 ? "s" : ""}`;
    add(`${label}, shared arrays`, both(pool, sharedIn, sharedOut));
    add(`${label}, allocate in place`, both(pool, own, "in place"), refill(own));
    add(`${label}, own arrays`, both(pool, logits, ownOut));
    add(`${label}, transfer`, both(copying, logits, ownOut));
    ended.push(pool.dispose, copying.dispose);
  }
}
const input = { ...shape, logits, ids: problem.ids, g: Float32Array.from(problem.g) };
const ort = await onnxruntime.createWeb(input, 2);
for (const { name, both: run } of ort.peers) candidates.push({ name: `${name}, 2 threads`, run });
await checkAll(candidates, problem);
const timings = await interleave(candidates, { ...schedule, units: size });
const base = (name: string): number => timings.get(name)?.median ?? Number.NaN;
const peer = Math.min(...ort.peers.map(({ name }) => base(`${name}, 2 threads`)));
const rows = [...timings].map(([name, { median, min }]) => {
  const one = name.replace(/2 workers|1 worker/, (label) => (label === "2 workers" ? "1 worker" : label));
  return [name, median, min, base(one) / median, peer / median] as const;
});
console.log(`Forward and backward, ${shape.rows} x ${shape.vocab} float32, ns a logit\n`);
console.log(table(["", "median", "min", "times 1 worker", "times onnxruntime-web, 2 threads"], rows));

const small = await timeSmall();
const even = await timeBreakEven();
if (process.env["BENCH_ROUNDS"] === undefined) {
  const both = Object.fromEntries(
    rows.map(([name, median, min, scaling, ratio]) => [name, { median, min, scaling, ratio }]),
  );
  save("pool", { ...schedule, shape, both, small, breakEven: even }, ort.versions);
}
await Promise.all([...ended.map((end) => end()), ort.close?.()]);
process.exit();

/** Throws before anything is timed if a candidate's gradient is wrong. */
async function checkAll(all: readonly Candidate[], { gradient }: Problem): Promise<void> {
  for (const { name, run, prepare } of all) {
    prepare?.();
    const result = (await run()) as { gradLogits?: Float32Array; gradient?: Float32Array };
    const got = (result.gradLogits ?? result.gradient) as Float32Array;
    let worst = 0;
    for (let i = 0; i < size; i += 97) worst = Math.max(worst, Math.abs((got[i] as number) - (gradient[i] as number)));
    if (!(worst < 2e-3 * Math.max(...problem.g.map(Math.abs)))) throw new Error(`${name}: gradient off by ${worst}`);
  }
}

/** A call with eight pairs: the cost of the promise. */
async function timeSmall(): Promise<Record<string, Timing>> {
  const array = () => Float32Array.from({ length: 8 }, (_, i) => -10 - i);
  const pairs = {
    policyChosen: array(),
    policyRejected: array(),
    referenceChosen: array(),
    referenceRejected: array(),
  };
  const [direct, pool] = [await createWasm(), await createPool({ workers: 2 })];
  const calls = 1000;
  const timings = await interleave(
    [
      { name: "this thread", run: () => repeat(calls, () => direct.pairLoss(pairs)) },
      { name: "pool", run: () => repeat(calls, () => pool.pairLoss(pairs)) },
    ],
    { rounds: 8, runs: 2, units: calls },
  );
  console.log("\npairLoss of 8 pairs, ns a call\n");
  console.log(
    table(
      ["", "median", "min"],
      [...timings].map(([name, { median, min }]) => [name, median, min]),
    ),
  );
  await pool.dispose();
  return Object.fromEntries(timings);
}

async function repeat(count: number, run: () => unknown): Promise<void> {
  for (let i = 0; i < count; i++) await run();
}

/** Calls of growing size on this thread and on two workers, to find where the workers become faster. */
async function timeBreakEven() {
  const direct = await createWasm();
  const usual = { ...breakEven };
  Object.assign(breakEven, { logits: 0, products: 0, sharedPairs: 1, sortedPairs: 1 });
  const pool = await createPool({ workers: 2 });
  const found: Record<string, [size: number, direct: number, pool: number][]> = {};
  const measure = async (name: string, units: number, one: () => unknown, two: () => unknown) => {
    const timings = await interleave(
      [
        { name: "one", run: one },
        { name: "two", run: two },
      ],
      { rounds: 12, runs: 3, units: 1e3 },
    );
    const median = (which: string): number => timings.get(which)?.median ?? Number.NaN;
    found[name] = [...(found[name] ?? []), [units, median("one"), median("two")]];
  };
  for (let shift = 15; shift <= 20; shift++) {
    const vocab = 4096;
    const n = 2 ** shift / vocab;
    const tokens = {
      pairs: n / 2,
      offsets: Int32Array.from({ length: n + 1 }, (_, i) => i),
      targets: new Int32Array(n),
    };
    const own = logits.slice(0, n * vocab);
    const batch = { tokens, vocab, logits: own, reference: { logps: new Float64Array(n) } };
    const out = { gradLogits: new Float32Array(n * vocab) };
    await measure(
      "logits, own arrays",
      n * vocab,
      () => direct.logitsLoss(batch, { out }),
      () => pool.logitsLoss(batch, { out }),
    );
    const [sharedLogits, sharedGrad] = [sharedIn.subarray(0, n * vocab), sharedOut.subarray(0, n * vocab)];
    const there = { ...batch, logits: sharedLogits };
    const into = { out: { gradLogits: sharedGrad } };
    await measure(
      "logits, shared arrays",
      n * vocab,
      () => direct.logitsLoss(there, into),
      () => pool.logitsLoss(there, into),
    );
  }
  for (let shift = 13; shift <= 20; shift++) {
    const n = 2 ** shift;
    const part = (k: number) => sharedIn.subarray(k * n, (k + 1) * n);
    const to = (k: number) => sharedOut.subarray(k * n, (k + 1) * n);
    const pairs = {
      policyChosen: part(0),
      policyRejected: part(1),
      referenceChosen: part(2),
      referenceRejected: part(3),
    };
    const out = { losses: to(0), gradChosen: to(1), gradRejected: to(2) };
    await measure(
      "pairs, shared arrays",
      n,
      () => direct.pairLoss(pairs, { out }),
      () => pool.pairLoss(pairs, { out }),
    );
    if (shift > 17) continue;
    const aot = { out, lossType: "aot" };
    await measure(
      "pairs, aot",
      n,
      () => direct.pairLoss(pairs, aot),
      () => pool.pairLoss(pairs, aot),
    );
  }
  await pool.dispose();
  Object.assign(breakEven, usual);
  console.log("\nBreak-even: microseconds on this thread and on two workers\n");
  for (const [name, list] of Object.entries(found))
    console.log(
      table(
        [name, "one", "two"],
        list.map(([n, one, two]) => [`${n}`, one, two]),
      ),
      "\n",
    );
  return found;
}
