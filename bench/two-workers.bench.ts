// What a second worker is worth: logits, pairs, a head with its logits kept or formed again, and a step of createTrainer.
// On a quiet machine with two cores; three minutes.

import { generator } from "../src/bench/random.ts";
import { createWasm } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import { createTrainer } from "../src/train.ts";
import { type Candidate, interleave, table } from "./measure.ts";
import { save } from "./report.ts";

const random = generator(5);
const fill = <A extends Float32Array>(array: A, spread: number): A => {
  for (let i = 0; i < array.length; i++) array[i] = spread * (random() - 0.5);
  return array;
};
const ids = (n: number, vocab: number) => Int32Array.from({ length: n }, () => Math.floor(random() * vocab));
const packed = (pairs: number, rows: number, vocab: number) => ({
  pairs,
  offsets: Int32Array.from({ length: 2 * pairs + 1 }, (_, i) => Math.floor((i * rows) / (2 * pairs))),
  targets: ids(rows, vocab),
});

const direct = await createWasm({ reserve: 128 << 20 });
const [one, two] = [await createPool({ workers: 1 }), await createPool({ workers: 2 })];
const threads = { "this thread": direct, "1 worker": one, "2 workers": two };
type AnyBackend = (typeof threads)[keyof typeof threads];
const each = (make: (backend: AnyBackend, name: string) => Candidate[]): Candidate[] =>
  Object.entries(threads).flatMap(([name, backend]) => make(backend, name));

const results: Record<string, object> = {};

/** Times the candidates in turn; those that take seconds once in a round. */
async function measure(
  title: string,
  candidates: readonly Candidate[],
  schedule: { rounds: number; runs: number; collect?: boolean },
): Promise<void> {
  const timings = await interleave(candidates, { ...schedule, units: 1e6 });
  const rows = [...timings].map(([name, { median, min }]) => [name, median, min] as const);
  console.log(`\n${title}, ms\n\n${table(["", "median", "min"], rows)}`);
  results[title] = Object.fromEntries(timings);
}

{
  const [rows, vocab] = [512, 32_000];
  const tokens = packed(4, rows, vocab);
  const own = fill(new Float32Array(rows * vocab), 8);
  const reference = { logps: (direct.sequenceLogps({ tokens, vocab, logits: own }).logps as Float64Array).slice() };
  const gradLogits = new Float32Array(own.length);
  const candidates = each((backend, name) => {
    const logits = backend.allocate("f32", own.length);
    return [
      {
        name: `${name}, allocate in place`,
        prepare: () => logits.set(own),
        run: () => backend.logitsLoss({ tokens, vocab, logits, reference }, { inPlace: true }),
      },
      {
        name: `${name}, own arrays`,
        run: () => backend.logitsLoss({ tokens, vocab, logits: own, reference }, { out: { gradLogits } }),
      },
    ];
  });
  await measure(`logitsLoss ${rows} x ${vocab}`, candidates, { rounds: 10, runs: 2, collect: true });
}

{
  const n = 1_000_000;
  const candidates = each((backend, name) => {
    const take = () => fill(backend.allocate("f32", n), 20);
    const pairs = { policyChosen: take(), policyRejected: take(), referenceChosen: take(), referenceRejected: take() };
    const out = { losses: take(), gradChosen: take(), gradRejected: take() };
    return [{ name, run: () => backend.pairLoss(pairs, { out }) }];
  });
  await measure(`pairLoss ${n} pairs, allocate`, candidates, { rounds: 30, runs: 2 });
}

const [width, vocab] = [576, 49_152];
{
  const rows = 512;
  const tokens = packed(4, rows, vocab);
  const [hidden, weight] = [fill(new Float32Array(rows * width), 2), fill(new Float32Array(vocab * width), 0.2)];
  const head = { tokens, vocab, hiddenSize: width, hidden, weight };
  const reference = { logps: (direct.sequenceLogps(head).logps as Float64Array).slice() };
  const candidates = each((backend, name) => {
    const copyOf = (array: Float32Array) => {
      const copy = backend === direct ? array.slice() : backend.allocate("f32", array.length);
      copy.set(array);
      return copy;
    };
    const batch = { ...head, hidden: copyOf(hidden), weight: copyOf(weight), reference };
    const out = { gradHidden: copyOf(hidden), gradWeight: copyOf(weight) };
    return [0, 2 ** 30].map((keep) => ({
      name: `${name}, ${keep === 0 ? "formed again" : "kept"}`,
      run: () => backend.linearLoss(batch, { out, keep }),
    }));
  });
  await measure(`linearLoss ${rows} x ${width} x ${vocab}`, candidates, { rounds: 3, runs: 1 });
}

{
  const list = (n: number) => [...ids(n, vocab)];
  const examples = [0, 1].map(() => ({ prompt: list(8), chosen: list(64), rejected: list(64) }));
  const config = { per_device_train_batch_size: 2, max_steps: 1_000_000, learning_rate: 1e-4 };
  const start = fill(new Float32Array(vocab * width), 0.2);
  const states = fill(new Float32Array(4 * 72 * width), 2);
  const candidates: Candidate[] = [];
  for (const [name, backend] of [
    ["1 worker", one],
    ["2 workers", two],
  ] as const) {
    for (const place of ["own weight", "allocate"]) {
      const weight = place === "allocate" ? backend.allocate("f32", start.length) : new Float32Array(start.length);
      weight.set(start);
      const head = { weight, vocab, hiddenSize: width };
      const trainer = await createTrainer({ config, examples, backbone: () => states, head, backend, shuffle: false });
      const steps = trainer[Symbol.asyncIterator]();
      candidates.push({ name: `${name}, ${place}`, run: () => steps.next() });
    }
  }
  await measure(`createTrainer's step, 256 tokens x ${width} x ${vocab}`, candidates, { rounds: 3, runs: 1 });
}

save("two-workers", { unit: "ms", results });
await Promise.all([one.dispose(), two.dispose()]);
