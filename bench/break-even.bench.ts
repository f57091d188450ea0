// The size from which workers pay off: calls of growing size on this thread and on two workers. What src/backends/pool/break-even.ts goes by.

import { breakEven } from "../src/backends/pool/break-even.ts";
import { fillNormal, generator } from "../src/bench/random.ts";
import { createWasm } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import { interleave, table } from "./measure.ts";

const VOCAB = 4096;
const LARGEST = 2 ** 22;

const shared = () => new Float32Array(new SharedArrayBuffer(4 * LARGEST) as unknown as ArrayBuffer);
const [from, to] = [shared(), shared()];
fillNormal(from, 2.5, generator(1));

const direct = await createWasm();
Object.assign(breakEven, { logits: 0, products: 0, sharedPairs: 1, sortedPairs: 1 });
const pool = await createPool({ workers: 2 });
const found: Record<string, [size: number, direct: number, pool: number][]> = {};

async function measure(name: string, units: number, one: () => unknown, two: () => unknown): Promise<void> {
  const candidates = [
    { name: "one", run: one },
    { name: "two", run: two },
  ];
  const timings = await interleave(candidates, { rounds: 12, runs: 3, units: 1e3 });
  const median = (which: string): number => timings.get(which)?.median ?? Number.NaN;
  found[name] = [...(found[name] ?? []), [units, median("one"), median("two")]];
}

for (let shift = 15; shift <= 20; shift++) {
  const n = 2 ** shift / VOCAB;
  const offsets = Int32Array.from({ length: n + 1 }, (_, i) => i);
  const tokens = { pairs: n / 2, offsets, targets: new Int32Array(n) };
  const batchOf = (logits: Float32Array) => ({
    tokens,
    vocab: VOCAB,
    logits,
    reference: { logps: new Float64Array(n) },
  });
  const compare = (name: string, logits: Float32Array, gradLogits: Float32Array) => {
    const [batch, options] = [batchOf(logits), { out: { gradLogits } }];
    return measure(
      name,
      n * VOCAB,
      () => direct.logitsLoss(batch, options),
      () => pool.logitsLoss(batch, options),
    );
  };
  await compare("logits, own arrays", from.slice(0, n * VOCAB), new Float32Array(n * VOCAB));
  await compare("logits, shared arrays", from.subarray(0, n * VOCAB), to.subarray(0, n * VOCAB));
}
for (let shift = 13; shift <= 20; shift++) {
  const n = 2 ** shift;
  const part = (array: Float32Array, k: number) => array.subarray(k * n, (k + 1) * n);
  const pairs = {
    policyChosen: part(from, 0),
    policyRejected: part(from, 1),
    referenceChosen: part(from, 2),
    referenceRejected: part(from, 3),
  };
  const out = { losses: part(to, 0), gradChosen: part(to, 1), gradRejected: part(to, 2) };
  for (const lossType of shift > 17 ? ["sigmoid"] : ["sigmoid", "aot"]) {
    await measure(
      `pairs, shared arrays, ${lossType}`,
      n,
      () => direct.pairLoss(pairs, { out, lossType }),
      () => pool.pairLoss(pairs, { out, lossType }),
    );
  }
}
await pool.dispose();
console.log("Microseconds on this thread and on two workers\n");
for (const [name, list] of Object.entries(found)) {
  const rows = list.map(([n, one, two]) => [`${n}`, one, two]);
  console.log(`${table([name, "one", "two"], rows)}\n`);
}
