// A thread with a backend of its own, one thread's, and nothing of a pool: it sleeps until a word of shared memory changes, does its share
// of a piece of work, and sleeps again.

import { workerData } from "node:worker_threads";
import { generator } from "../../src/bench/random.ts";
import { createWasm } from "../../src/index.ts";
import { adamw, adamwState, clipGradNorm } from "../../src/train.ts";
import { type BareWork, KINDS, type Shapes, WORDS } from "./bare-threads.ts";

const { index, control, shapes } = workerData as { index: number; control: Int32Array; shapes: Shapes };
const random = generator(index);
const fill = (array: Float32Array, spread: number) => {
  for (let i = 0; i < array.length; i++) array[i] = spread * (random() - 0.5);
  return array;
};

const backend = await createWasm({ reserve: 128 << 20 });
const take = (length: number) => backend.allocate("f32", length);
// The first thread does all of it too.
const most = index === 0 ? 1 : 2;
const cache: Partial<Record<string, () => unknown>> = {};

const packed = (rows: number, vocab: number) => ({
  pairs: 4,
  offsets: Int32Array.from({ length: 9 }, (_, i) => Math.floor((i * rows) / 8)),
  targets: Int32Array.from({ length: rows }, () => Math.floor(random() * vocab)),
});
const reference = { logps: new Float64Array(8).fill(-500) };

const logits = (() => {
  const { rows, vocab } = shapes.logits;
  const array = take((rows * vocab) / most);
  const own = fill(array.slice(), 8);
  return { vocab, array, restore: () => array.set(own), rows };
})();

const pairs = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected", "losses", "one", "other"].map(
  () => fill(take(shapes.pairs / most), 20),
);

const head = (() => {
  const { tokens, width, vocab } = shapes.head;
  const hidden = fill(new Float32Array(Math.max(tokens, shapes.step) * width), 2);
  const weight = fill(new Float32Array((vocab * width) / most), 0.2);
  return { hidden, gradHidden: hidden.slice(), weight, gradWeight: weight.slice(), state: adamwState(weight) };
})();

/** What one of so many threads does of each work: rows and pairs are cut, of a head the vocabulary. */
const works: Record<BareWork, (threads: number) => () => unknown> = {
  restore: () => logits.restore,
  logits(threads) {
    const rows = logits.rows / threads;
    const tokens = packed(rows, logits.vocab);
    const batch = { tokens, vocab: logits.vocab, logits: logits.array.subarray(0, rows * logits.vocab), reference };
    return () => backend.logitsLoss(batch, { inPlace: true });
  },
  pairs(threads) {
    const [policyChosen, policyRejected, referenceChosen, referenceRejected, losses, gradChosen, gradRejected] =
      pairs.map((array) => array.subarray(0, shapes.pairs / threads)) as [Float32Array, ...Float32Array[]];
    const batch = { policyChosen, policyRejected, referenceChosen, referenceRejected } as {
      policyChosen: Float32Array;
      policyRejected: Float32Array;
    };
    return () => backend.pairLoss(batch, { out: { losses, gradChosen, gradRejected } });
  },
  head: (threads) => headOf(threads, shapes.head.tokens).both,
  step(threads) {
    const { forward, tuned, weight, gradWeight } = headOf(threads, shapes.step);
    const state = {
      step: 0,
      m: head.state.m.map((m) => m.subarray(0, weight.length)),
      v: head.state.v.map((v) => v.subarray(0, weight.length)),
    };
    return () => {
      forward();
      tuned();
      clipGradNorm(gradWeight, 1);
      adamw(weight, gradWeight, state, { lr: 1e-4 });
    };
  },
};

function headOf(threads: number, count: number) {
  const { width, vocab: all } = shapes.head;
  const vocab = all / threads;
  const [weight, gradWeight] = [head.weight, head.gradWeight].map((array) => array.subarray(0, vocab * width)) as [
    Float32Array,
    Float32Array,
  ];
  const [hidden, gradHidden] = [head.hidden, head.gradHidden].map((array) => array.subarray(0, count * width)) as [
    Float32Array,
    Float32Array,
  ];
  const batch = { tokens: packed(count, vocab), vocab, hiddenSize: width, hidden, weight };
  return {
    weight,
    gradWeight,
    forward: () => backend.sequenceLogps(batch),
    both: () => backend.linearLoss({ ...batch, reference }, { out: { gradHidden, gradWeight }, keep: 0 }),
    tuned: () => backend.linearLoss({ ...batch, reference }, { frozen: "hidden", out: { gradWeight }, keep: 0 }),
  };
}

for (let seen = 0; ; ) {
  Atomics.wait(control, WORDS.round, seen);
  seen = Atomics.load(control, WORDS.round);
  const threads = Atomics.load(control, WORDS.threads);
  if (threads < 0) break;
  if (index >= threads) continue;
  const kind = KINDS[Atomics.load(control, WORDS.kind)] as BareWork;
  cache[`${kind} ${threads}`] ??= works[kind](threads);
  cache[`${kind} ${threads}`]?.();
  Atomics.add(control, WORDS.done, 1);
  Atomics.notify(control, WORDS.done);
}
