// Pairwise losses of dpo-kernels against plain JavaScript, tfjs-wasm and onnxruntime-web, all in one run. See README.md.

import { type Backend, createJs, createWasm, losses, lossTypes, type PairLossOptions } from "../dist/index.js";
import { interleave, type Timing, table } from "./measure.ts";
import { check, makePairs } from "./pairs.ts";
import * as onnxruntimeWeb from "./peers/onnxruntime-web.ts";
import type { Buffers, Pairs, Results } from "./peers/peer.ts";
import * as plainJs from "./peers/plain-js.ts";
import * as tfjsWasm from "./peers/tfjs-wasm.ts";
import { save } from "./report.ts";

/** The arrays of a call. */
interface Work {
  pairs: Pairs;
  out: Buffers;
}

type Works = Record<"plain" | "relaxed" | "own", Work>;

const PAIRS = 1_000_000;
const SMALL = { pairs: 8, calls: 2000 };
const BETA = 0.1;

const plain = await createWasm({ relaxed: false, reserve: 64 << 20 });
const relaxed = await createWasm({ relaxed: true, reserve: 64 << 20 });
const peers = [
  await plainJs.create(PAIRS, BETA),
  await tfjsWasm.create(PAIRS, BETA, "Softplus"),
  await tfjsWasm.create(PAIRS, BETA, "composed"),
  await onnxruntimeWeb.create(PAIRS, BETA, "Softplus"),
  await onnxruntimeWeb.create(PAIRS, BETA, "composed"),
];
const large = makeWorks(PAIRS);
const ours = calls(large);

const sigmoid = await timeSigmoid();
const everyLoss = {
  plain: await timeLosses(plain, large.plain),
  relaxed: await timeLosses(relaxed, large.relaxed),
};
const smallCalls = await timeSmallCalls();
print();
saveReport();

/** The sigmoid loss by every candidate, ns per pair. */
async function timeSigmoid(): Promise<Map<string, Timing>> {
  const candidates = [
    ...Object.entries(ours).map(([name, run]) => ({ name, run })),
    { name: "js, own arrays", run: call(createJs(), large.own) },
    ...peers.map(({ name, run }) => ({ name, run: () => run(large.own.pairs, large.own.out) })),
  ];
  for (const { name, run } of candidates) {
    for (const array of Object.values(large.own.out)) array.fill(Number.NaN);
    check(name, large.own.pairs, BETA, await run());
  }
  return interleave([...candidates, { name: "copy of as many bytes", run: copy }], {
    rounds: 20,
    runs: 3,
    units: PAIRS,
  });
}

/** Every loss with its default hyperparameters, on arrays from `allocate`, ns per pair, or per row of the losses of those. */
function timeLosses(backend: Backend, { pairs, out }: Work): Promise<Map<string, Timing>> {
  const lengths = backend.allocate("i32", PAIRS).fill(200);
  const withLengths = { ...pairs, chosenLengths: lengths, rejectedLengths: lengths };
  const rewardMargin = backend.allocate("f32", PAIRS);
  const desirable = backend.allocate("u8", PAIRS);
  for (let i = 0; i < PAIRS; i++) {
    rewardMargin[i] = (i % 7) - 3;
    desirable[i] = Number(i % 3 > 0);
  }
  const rows = {
    policy: pairs.policyChosen,
    reference: pairs.referenceChosen,
    desirable,
    klPolicy: pairs.policyRejected.subarray(0, 1000),
    klReference: pairs.referenceRejected.subarray(0, 1000),
  };
  const candidates = lossTypes.map((lossType) => {
    const loss = losses[lossType];
    if ("row" in loss) {
      const ofRows = { lossType, beta: BETA, out: { losses: out.losses, grad: out.gradChosen } };
      return { name: lossType, run: () => backend.unpairedLoss(rows, ofRows) };
    }
    const given = "normalised" in loss || "likelihood" in loss ? withLengths : pairs;
    const all = "columns" in loss ? { ...given, rewardMargin } : given;
    return { name: lossType, run: call(backend, { pairs: all, out }, { lossType }) };
  });
  return interleave(candidates, { rounds: 10, runs: 2, units: PAIRS });
}

/** Calls with a few pairs, ns per call. */
function timeSmallCalls(): Promise<Map<string, Timing>> {
  const candidates = Object.entries(calls(makeWorks(SMALL.pairs))).map(([name, run]) => ({
    name,
    run: () => {
      for (let i = 0; i < SMALL.calls; i++) run();
    },
  }));
  return interleave(candidates, { rounds: 20, runs: 5, units: SMALL.calls });
}

/** The ways in which this library computes the sigmoid loss, to be compared with others. */
function calls({ plain: inPlain, relaxed: inRelaxed, own }: Works): Record<string, () => Results> {
  return {
    "plain, allocate": call(plain, inPlain),
    "relaxed, allocate": call(relaxed, inRelaxed),
    "plain, own arrays": call(plain, own),
    "relaxed, own arrays": call(relaxed, own),
  };
}

function call(backend: Backend, { pairs, out }: Work, options: PairLossOptions = {}): () => Results {
  const all = { lossType: "sigmoid", beta: BETA, ...options, out };
  return () => backend.pairLoss(pairs, all);
}

/** The same inputs in the memory of each module and in plain arrays. */
function makeWorks(n: number): Works {
  const work = (make: (n: number) => Float32Array) => ({
    pairs: makePairs(n, make),
    out: { losses: make(n), gradChosen: make(n), gradRejected: make(n) },
  });
  return {
    plain: work((n) => plain.allocate("f32", n)),
    relaxed: work((n) => relaxed.allocate("f32", n)),
    own: work((n) => new Float32Array(n)),
  };
}

/** Moves 28 bytes per pair, as the loss does; half are read and half written, where the loss reads 16 and writes 12. */
function copy(): void {
  const { pairs, out } = large.own;
  out.losses.set(pairs.policyChosen);
  out.gradChosen.set(pairs.policyRejected);
  out.gradRejected.set(pairs.referenceChosen);
  out.losses.set(pairs.referenceRejected.subarray(PAIRS / 2));
}

/** The time of each candidate, and its ratio to each of ours. */
function sigmoidRows() {
  return Array.from(sigmoid, ([name, timing]) => {
    const times = (other: string) => timing.median / (sigmoid.get(other) as Timing).median;
    return {
      name,
      ...timing,
      timesAsLongAs: Object.fromEntries(Object.keys(ours).map((other) => [other, times(other)])),
    };
  });
}

/** The time of each loss, and its ratio to sigmoid. */
function lossRows() {
  const against = (timings: Map<string, Timing>, name: string) => {
    const { median, min } = timings.get(name) as Timing;
    return { median, min, timesSigmoid: median / (timings.get("sigmoid") as Timing).median };
  };
  return lossTypes.map((name) => ({
    name,
    plain: against(everyLoss.plain, name),
    relaxed: against(everyLoss.relaxed, name),
  }));
}

function print(): void {
  console.log(`Sigmoid loss, ${PAIRS} pairs: ns per pair, and how many times as long as ours\n`);
  console.log(
    table(
      ["", "median", "min", ...Object.keys(ours)],
      sigmoidRows().map(({ name, median, min, timesAsLongAs }) => [name, median, min, ...Object.values(timesAsLongAs)]),
    ),
  );
  console.log(
    `\nEvery loss, ${PAIRS} pairs in arrays of allocate: ns per pair, and how many times as long as sigmoid\n`,
  );
  console.log(
    table(
      ["", "plain", "times sigmoid", "relaxed", "times sigmoid"],
      lossRows().map(({ name, plain, relaxed }) => [
        name,
        plain.median,
        plain.timesSigmoid,
        relaxed.median,
        relaxed.timesSigmoid,
      ]),
    ),
  );
  console.log(`\nOne call with ${SMALL.pairs} pairs: ns\n`);
  console.log(
    table(
      ["", "median", "min"],
      Array.from(smallCalls, ([name, { median, min }]) => [name, median, min]),
    ),
  );
}

function saveReport(): void {
  save("pairs", {
    pairs: PAIRS,
    sigmoid: { unit: "ns per pair", rows: sigmoidRows() },
    everyLoss: { unit: "ns per pair", rows: lossRows() },
    smallCall: {
      unit: "ns per call",
      pairs: SMALL.pairs,
      rows: Array.from(smallCalls, ([name, timing]) => ({ name, ...timing })),
    },
  });
}
