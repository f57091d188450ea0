// Log-probs of logits and their gradient: dpo-kernels against other libraries, all in one run. See README.md.

import { createWasm } from "../dist/index.js";
import { makeCalibration } from "./logits/calibration.ts";
import { type Figures, figuresOf, passes, type Row, timesAsLong } from "./logits/figures.ts";
import { type Calls, makeCalls } from "./logits/ours.ts";
import { check, makeProblem, type Problem, type Results, type Shape } from "./logits/problem.ts";
import { builds, judge, type Verdict } from "./logits/targets.ts";
import { judgeVariants, timeVariants, type Variant } from "./logits/variants.ts";
import { type Candidate, interleave, type Timing, table } from "./measure.ts";
import * as jaxJs from "./peers/logits/jax-js.ts";
import * as onnxruntime from "./peers/logits/onnxruntime.ts";
import type { Library, Peer } from "./peers/logits/peer.ts";
import * as plainJs from "./peers/logits/plain-js.ts";
import * as pytorch from "./peers/logits/pytorch.ts";
import * as tfjsWasm from "./peers/logits/tfjs-wasm.ts";
import { save } from "./report.ts";

const shapes: readonly Shape[] = [
  { rows: 512, vocab: 32_000 },
  { rows: 256, vocab: 128_256 },
];
const wanted = process.argv[2];
const rounds = process.env["BENCH_ROUNDS"];
const schedule = { rounds: Number(rounds ?? 6), runs: 2, collect: true };
/** Rounds for ratios between our own calls, which need fewer. */
const shortSchedule = { ...schedule, rounds: Number(rounds ?? 4) };
/** Peers that take many times as long as ours, and so take part in fewer rounds. */
const slow = /^(plain JavaScript|tfjs-wasm|jax-js|PyTorch)|log of softmax/;
const ourTolerance = { logp: 2e-6, gradient: 1e-5 };
/** Peers sum in float32. */
const peerTolerance = { logp: 1e-3, gradient: 2e-3 };

/** The rows of ours that peers are compared with. */
const compared = builds.flatMap((build) =>
  ["own arrays, into out", "own arrays, in place", "allocate, in place"].map((form) => `${build}, ${form}`),
);

interface Report {
  shape: Shape;
  unit: string;
  calibration: Timing;
  ours: Figures[];
  peers: Figures[];
  variants: Variant[];
  verdicts: Verdict[];
}

const versions: Record<string, string> = {};
const reports: Report[] = [];
for (const shape of wanted === undefined ? shapes : [parseShape(wanted)]) {
  const report = await timeShape(shape);
  print(report);
  reports.push(report);
}
const isPart = wanted !== undefined || rounds !== undefined;
if (isPart) console.log("\nNo results written: this was part of a run");
else save("logits", { ...schedule, shapes: reports.map(withRatios) }, versions);

async function timeShape(shape: Shape): Promise<Report> {
  const size = shape.rows * shape.vocab;
  // Seven arrays of float32 and six of half types.
  const reserve = size * (7 * 4 + 6 * 2) + (1 << 20);
  const backends = {
    plain: await createWasm({ relaxed: false, reserve }),
    relaxed: await createWasm({ relaxed: true, reserve }),
  };
  const problem = makeProblem("float32", shape, "f32", "ordinary");
  const candidates: Candidate[] = [];
  const [ours, peers]: [Row[], Row[]] = [[], []];
  for (const place of ["own arrays", "allocate"] as const) {
    for (const build of builds) {
      const calls = makeCalls(backends[build], place)(`${build}, ${place}`, problem);
      const logpError = await checkOurs(calls, problem);
      const { forward, out, inPlace } = calls;
      candidates.push(forward, out, inPlace);
      const row = (form: string, both: string) => ({
        name: `${build}, ${place}, ${form}`,
        candidates: { forward: forward.name, both },
        logpError,
      });
      ours.push(row("into out", out.name), row("in place", inPlace.name));
    }
  }
  const libraries = await createPeers(problem);
  for (const peer of libraries.flatMap(({ peers }) => peers)) {
    const added = candidatesOf(peer);
    const logpError = await checkAll(added, problem, peerTolerance);
    candidates.push(...added);
    const names = Object.fromEntries(added.map(({ pass, name }) => [pass, name]));
    peers.push({ name: peer.name, candidates: names as Row["candidates"], logpError });
  }
  const calibration = { name: "calibration", run: await makeCalibration(problem.logits as Float32Array) };
  const timings = await interleave([calibration, ...candidates], { ...schedule, units: size });
  for (const { close } of libraries) await close?.();
  const variants = await timeVariants(backends, shape, checkOurs, shortSchedule);
  for (const backend of Object.values(backends)) backend.dispose();
  const figures = (rows: readonly Row[]) => rows.map((row) => figuresOf(row, timings));
  const [ourFigures, peerFigures] = [figures(ours), figures(peers)];
  return {
    shape,
    unit: "ns per logit",
    calibration: timings.get(calibration.name) as Timing,
    ours: ourFigures,
    peers: peerFigures,
    variants,
    verdicts: [...judge(ourFigures, peerFigures), ...judgeVariants(variants)],
  };
}

async function createPeers({ shape, logits, ids, g }: Problem): Promise<Library[]> {
  const input = { ...shape, logits: logits as Float32Array<ArrayBuffer>, ids, g: Float32Array.from(g) };
  const libraries = [
    await onnxruntime.createWeb(input),
    await tfjsWasm.create(input),
    await jaxJs.create(input),
    plainJs.create(input),
    await onnxruntime.createNative(input),
    await pytorch.create(input),
  ];
  for (const library of libraries) Object.assign(versions, library.versions);
  return libraries;
}

function candidatesOf(peer: Peer): (Candidate & { pass: string })[] {
  const every = slow.test(peer.name) ? 3 : 1;
  return passes.flatMap((pass) => {
    const run = peer[pass];
    return run ? [{ pass, name: `${peer.name}: ${pass}`, run, every }] : [];
  });
}

/** Checks all three calls and returns the worst error of a log-prob. */
async function checkOurs({ forward, out, inPlace, target }: Calls, problem: Problem): Promise<number> {
  let worst = 0;
  for (const candidate of [forward, out, inPlace]) {
    // Results of an earlier call must not pass for this one's, so fill them with NaN, whatever the type.
    target.fill(problem.type === "f32" ? Number.NaN : 0x7fff);
    worst = Math.max(worst, await checkAll([candidate], problem, ourTolerance));
  }
  return worst;
}

async function checkAll(
  candidates: readonly Candidate[],
  problem: Problem,
  tolerance: { logp: number; gradient: number },
): Promise<number> {
  let worst = 0;
  for (const { name, prepare, run } of candidates) {
    prepare?.();
    worst = Math.max(worst, check(name, problem, (await run()) as Results, tolerance));
  }
  return worst;
}

function ratios(row: Figures, ours: readonly Figures[]) {
  return compared.map((name) => timesAsLong(row, ours.find((other) => other.name === name) as Figures));
}

function withRatios(report: Report) {
  const { ours, peers } = report;
  const timesAsLongAs = (row: Figures) =>
    Object.fromEntries(ratios(row, ours).map((ratio, i) => [compared[i] as string, ratio]));
  return { ...report, peers: peers.map((row) => ({ ...row, timesAsLongAs: timesAsLongAs(row) })) };
}

function print({ shape, unit, calibration, ours, peers, variants, verdicts }: Report): void {
  const minimum = ({ median, min }: Timing) => [median, min];
  console.log(`\n${shape.rows} × ${shape.vocab}: ${unit}, medians and minima, and the worst error of a log-prob\n`);
  console.log(
    table(
      ["", ...passes.flatMap((pass) => [pass, "min"]), "error"],
      [...ours, ...peers].map((row) => [
        row.name,
        ...passes.flatMap((pass) => minimum(row[pass])),
        row.logpError.toExponential(0),
      ]),
    ),
  );
  console.log(
    `calibration: the maximum of the logits takes ${minimum(calibration)
      .map((x) => x.toFixed(3))
      .join(", ")}`,
  );
  for (const pass of passes) {
    console.log(`\n${pass}: how many times as long as ours\n`);
    console.log(
      table(
        ["", ...compared.map((name) => name.replaceAll(/,| arrays|into out/g, ""))],
        peers.map((row) => [row.name, ...ratios(row, ours).map((ratio) => ratio[pass])]),
      ),
    );
  }
  console.log("\nOther logits, and how many times as long as float32\n");
  console.log(
    table(
      ["", "forward", "times", "both", "times"],
      variants.map(({ name, place, build, forward, both }) => [
        `${build}, ${place}, ${name}`,
        ...[forward, both].flatMap(({ median, timesFloat32 }) => [median, timesFloat32]),
      ]),
    ),
  );
  console.log("\nRequired and measured\n");
  console.log(
    table(
      ["", "required", "measured", ""],
      verdicts.map(({ what, build, required, measured, met }) => [
        `${build}, ${what}`,
        required,
        measured,
        met ? "" : "MISSED",
      ]),
    ),
  );
}

function parseShape(text: string): Shape {
  const [rows, vocab] = text.split("x").map(Number);
  // Rows are pairs of completions of 32 tokens; the calibration reads 16 logits at a time.
  if (rows && vocab && rows % 64 === 0 && vocab % 2 === 0) return { rows, vocab };
  throw new Error(`shape: expected rows x vocabulary, such as 512x32000, rows a multiple of 64, got ${text}`);
}
