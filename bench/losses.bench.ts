// Every loss of this library against its sigmoid, with a reference and without, and under AlphaPO, all in one run. See README.md.

import { type Backend, createWasm, losses, lossTypes } from "../dist/index.js";
import { makePairs } from "../src/bench/cases/pairs.ts";
import { interleave, type Timing, table } from "./measure.ts";
import { save } from "./report.ts";

const PAIRS = 1_000_000;
const BETA = 0.1;
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 6);

/** The calls of one module, by what they are called in the table. */
function candidates(backend: Backend): { name: string; run: () => unknown }[] {
  const make = () => backend.allocate("f32", PAIRS);
  const put = (values: Float32Array) => {
    const array = make();
    array.set(values);
    return array;
  };
  const { policyChosen: chosen, policyRejected: rejected, ...references } = makePairs(PAIRS);
  const pairs = {
    policyChosen: put(chosen),
    policyRejected: put(rejected),
    referenceChosen: put(references.referenceChosen),
    referenceRejected: put(references.referenceRejected),
  };
  const lengths = backend.allocate("i32", PAIRS).fill(200);
  const rewardMargin = make();
  const desirable = backend.allocate("u8", PAIRS);
  for (let i = 0; i < PAIRS; i++) {
    rewardMargin[i] = (i % 7) - 3;
    desirable[i] = Number(i % 3 > 0);
  }
  const out = { losses: make(), gradChosen: make(), gradRejected: make() };
  const { policyChosen, policyRejected } = pairs;
  const perToken = { chosenLengths: lengths, rejectedLengths: lengths };
  const rows = {
    policy: policyChosen,
    reference: pairs.referenceChosen,
    desirable,
    klPolicy: policyRejected.subarray(0, 1000),
    klReference: pairs.referenceRejected.subarray(0, 1000),
  };
  return lossTypes.flatMap((lossType): { name: string; run: () => unknown }[] => {
    const loss = losses[lossType];
    if ("row" in loss) {
      const options = { lossType, beta: BETA, out: { losses: out.losses, grad: out.gradChosen } };
      return [{ name: `${lossType}, rows`, run: () => backend.unpairedLoss(rows, options) }];
    }
    const columns = {
      ...("normalised" in loss || "likelihood" in loss ? perToken : {}),
      ...("columns" in loss ? { rewardMargin } : {}),
    };
    const call = (batch: object, options: object) => () =>
      backend.pairLoss({ ...pairs, ...batch }, { lossType, beta: BETA, ...options, out });
    const all = [{ name: lossType as string, run: call(columns, {}) }];
    if (!("reference" in loss)) return all;
    const alone = { ...columns, referenceChosen: undefined, referenceRejected: undefined };
    all.push({ name: `${lossType}, no reference`, run: call(alone, {}) });
    if (!("alphapoAlpha" in loss.params)) return all;
    // Sums are of hundreds of nats: their α is that of means, less.
    const alphapoAlpha = "normalised" in loss ? 0.25 : 0.002;
    all.push({ name: `${lossType}, α ${alphapoAlpha}`, run: call(columns, { alphapoAlpha }) });
    all.push({ name: `${lossType}, α ${alphapoAlpha}, no reference`, run: call(alone, { alphapoAlpha }) });
    return all;
  });
}

async function time(relaxed: boolean): Promise<Map<string, Timing>> {
  const backend = await createWasm({ relaxed, reserve: 96 << 20 });
  const timings = await interleave(candidates(backend), { rounds, runs: 2, units: PAIRS });
  backend.dispose();
  return timings;
}

const plain = await time(false);
const relaxed = await time(true);

const figures = (timings: Map<string, Timing>, name: string) => {
  const { median, min } = timings.get(name) as Timing;
  const sigmoid = timings.get("sigmoid") as Timing;
  return { median, min, timesSigmoid: median / sigmoid.median, timesSigmoidMin: min / sigmoid.min };
};
const rows = [...plain.keys()].map((name) => {
  return { name, plain: figures(plain, name), relaxed: figures(relaxed, name) };
});
console.log(
  `Every loss, ${PAIRS} pairs or rows in arrays of allocate: ns each, best runs, and how many times as long as sigmoid\n`,
);
console.log(
  table(
    ["", "plain", "times sigmoid", "relaxed", "times sigmoid"],
    rows.map((row) => [
      row.name,
      row.plain.min,
      row.plain.timesSigmoidMin,
      row.relaxed.min,
      row.relaxed.timesSigmoidMin,
    ]),
  ),
);
if (!process.env["BENCH_ROUNDS"]) save("losses", { pairs: PAIRS, unit: "ns per pair or row", rows });
