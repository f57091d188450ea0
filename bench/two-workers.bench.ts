// What a second worker is worth: logits, pairs, a head with its logits kept or formed again, and a step of createTrainer; each beside
// what a second thread of this machine is worth for the same kernels without a pool. On a quiet machine with two cores; three minutes.

import { generator } from "../src/bench/random.ts";
import { createWasm } from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import { createTrainer } from "../src/train.ts";
import { type Candidate, interleave, type Timing, table } from "./measure.ts";
import { save } from "./report.ts";
import { type BareWork, createBareThreads } from "./two-workers/bare-threads.ts";

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

const [width, headVocab] = [576, 49_152];
const shapes = {
  logits: { rows: 512, vocab: 32_000 },
  pairs: 1_000_000,
  head: { tokens: 256, width, vocab: headVocab },
  step: 288,
};
const bare = await createBareThreads(shapes);
const bareOf = (kind: BareWork, prepared?: BareWork): Candidate[] =>
  ([1, 2] as const).map((count) => ({
    name: `${count} bare`,
    prepare: prepared && (() => bare.run(prepared, count)),
    run: () => bare.run(kind, count),
  }));

const results: Record<string, object> = {};

/** Times the candidates in turn; those that take seconds once in a round. `1 …` and `2 …` of a name are set beside each other. */
async function measure(
  title: string,
  candidates: readonly Candidate[],
  schedule: { rounds: number; runs: number; collect?: boolean },
): Promise<void> {
  const timings = await interleave(candidates, { ...schedule, units: 1e6 });
  const ratio = (of: string | undefined, over: Timing): string => {
    const base = of === undefined ? undefined : timings.get(of);
    return base && base !== over
      ? `${(base.median / over.median).toFixed(2)} / ${(base.min / over.min).toFixed(2)}`
      : "";
  };
  const limit = timings.get("2 bare");
  const rows = [...timings].map(([name, timing]) => {
    const [, who = "", what = ""] = name.match(/^(2 workers?|1 worker|this thread|\d bare)(.*)$/) ?? [];
    const isPair = who.startsWith("2 ");
    return [
      name,
      timing.median,
      timing.min,
      ratio(`this thread${what}`, timing),
      isPair ? ratio(name.replace(/^2 workers/, "1 worker").replace("2 bare", "1 bare"), timing) : "",
      isPair && limit ? ratio("1 bare", limit) : "",
    ];
  });
  const header = ["", "median", "min", "over this thread", "2 over 1", "the machine's"];
  console.log(`\n${title}, ms; ratios of medians / of best runs\n\n${table(header, rows)}`);
  results[title] = Object.fromEntries(timings);
}

{
  const { rows, vocab } = shapes.logits;
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
  candidates.push(...bareOf("logits", "restore"));
  await measure(`logitsLoss ${rows} x ${vocab}`, candidates, { rounds: 10, runs: 2, collect: true });
}

{
  const n = shapes.pairs;
  const candidates = each((backend, name) => {
    const take = () => fill(backend.allocate("f32", n), 20);
    const pairs = { policyChosen: take(), policyRejected: take(), referenceChosen: take(), referenceRejected: take() };
    const out = { losses: take(), gradChosen: take(), gradRejected: take() };
    return [{ name, run: () => backend.pairLoss(pairs, { out }) }];
  });
  candidates.push(...bareOf("pairs"));
  await measure(`pairLoss ${n} pairs, allocate`, candidates, { rounds: 60, runs: 2 });
}

{
  const { tokens: rows, vocab } = shapes.head;
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
  candidates.push(...bareOf("head"));
  await measure(`linearLoss ${rows} x ${width} x ${vocab}`, candidates, { rounds: 3, runs: 1 });
}

{
  const vocab = headVocab;
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
  candidates.push(...bareOf("step"));
  await measure(`createTrainer's step, 256 tokens x ${width} x ${vocab}`, candidates, { rounds: 3, runs: 1 });
}

save("two-workers", { unit: "ms", results });
bare.end();
await Promise.all([one.dispose(), two.dispose()]);
