// Losses from hidden states and a head, and their gradients: dpo-kernels against other libraries, all in one run. See README.md.

import { createWasm } from "../dist/index.js";
import { type Build, bufferBytes, builds, makeCalls, makePeak, peakWork } from "./linear/ours.ts";
import { eachRow, makeCheck, makeProblem, type Results, type Shape } from "./linear/problem.ts";
import { type Candidate, interleave, type Timing, table } from "./measure.ts";
import * as jaxJs from "./peers/linear/jax-js.ts";
import * as onnxruntime from "./peers/linear/onnxruntime.ts";
import type { Peer } from "./peers/linear/peer.ts";
import * as tfjsWasm from "./peers/linear/tfjs-wasm.ts";
import { save } from "./report.ts";

const passes = ["forward", "both"] as const;
type Pass = (typeof passes)[number];
/** Products of R × D × V that count towards GFLOP/s; a product computed twice counts once. */
const products = { forward: 1, both: 3 } as const;
/** Required speedup, plain and relaxed. */
const required = { forward: [1.2, 1.7], both: [1, 1.3] } as const;
const peakShare = 0.9;
/** Up to this size, logits are kept for the backward pass and count as scratch. */
const keptBytes = 64 << 20;

const wanted = process.argv[2];
const shape: Shape = wanted === undefined ? { rows: 512, width: 576, vocab: 49_152 } : parseShape(wanted);
const rounds = process.env["BENCH_ROUNDS"];
const schedule = { rounds: Number(rounds ?? 5), runs: 1, collect: true };

const work = 2 * shape.rows * shape.width * shape.vocab;
const problem = makeProblem(shape);
const candidates: (Candidate & { pass: Pass; row: string; error: number })[] = [];
const scratch: Record<string, number> = {};

const ours: { build: Build; calls: ReturnType<typeof makeCalls> }[] = [];
for (const build of builds) {
  const backend = await createWasm({ relaxed: build === "relaxed" });
  const calls = makeCalls(backend, problem);
  const before = bufferBytes();
  calls.prepare();
  scratch[build] = bufferBytes() - before;
  ours.push({ build, calls });
}
const { gradChosen, gradRejected, logsumexp } = (ours[0] as (typeof ours)[number]).calls.call();
const g = eachRow(gradChosen, gradRejected);
const check = makeCheck(problem, g, logsumexp);
for (const { build, calls } of ours) {
  calls.out.gradHidden.fill(Number.NaN);
  calls.out.gradWeight.fill(Number.NaN);
  await add(build, calls);
}
const input = { ...problem, g };
const peers: Peer[] = [await onnxruntime.create(input), await jaxJs.create(input), await tfjsWasm.create(input)];
for (const peer of peers) await add(peer.name, peer, peer.name === "tfjs-wasm" ? 3 : 1);

const peaks = builds.map((build) => ({ name: `${build}: peak`, run: makePeak(build) }));
const timings = await interleave([...peaks, ...candidates], { ...schedule, units: 1 });
for (const { close } of peers) await close?.();

const statistics = ["median", "min"] as const;
/** GFLOP/s, from the nanoseconds of a run. */
const gigaflops = (name: string, operations: number): Timing => {
  const { median, min } = timings.get(name) as Timing;
  return { median: operations / median, min: operations / min };
};
const peak = (build: Build): Timing => gigaflops(`${build}: peak`, peakWork);
const rows = [...new Set(candidates.map(({ row }) => row))].map((row) => {
  const figures = passes.map((pass) => [pass, gigaflops(`${row}: ${pass}`, products[pass] * work)]);
  const error = Math.max(
    ...candidates.filter((candidate) => candidate.row === row).map((candidate) => candidate.error),
  );
  return { name: row, error, ...Object.fromEntries(figures) } as { name: string; error: number } & Record<Pass, Timing>;
});
const ratio = (row: string, build: Build, pass: Pass, which: keyof Timing = "median"): number => {
  const of = (name: string) => (timings.get(`${name}: ${pass}`) as Timing)[which];
  return of(row) / of(build);
};
/** Of medians, and of the best runs, which say more on a busy machine. */
const both = (measure: (which: keyof Timing) => number) => {
  const [measured, best] = statistics.map(measure) as [number, number];
  return { measured, best };
};
const keeps = 4 * shape.rows * shape.vocab <= keptBytes;
const verdicts = builds.flatMap((build, i) => [
  ...passes.map((pass) => ({
    what: `${build}, ${pass}: times onnxruntime-web`,
    required: required[pass][i] as number,
    ...both((which) => ratio("onnxruntime-web", build, pass, which)),
  })),
  {
    what: `${build}, forward: share of the peak`,
    required: peakShare,
    ...both((which) => gigaflops(`${build}: forward`, work)[which] / peak(build)[which]),
  },
  {
    what: `${build}: logits per byte of scratch`,
    required: keeps ? 0 : 20,
    ...both(() => (4 * shape.rows * shape.vocab) / (scratch[build] as number)),
  },
]);

console.log(
  `${shape.rows} rows × ${shape.width} × ${shape.vocab} ids: GFLOP/s, medians and best; error of a log-prob\n`,
);
console.log(
  table(
    ["", ...passes.flatMap((pass) => [pass, "best"]), "error"],
    rows.map((row) => [row.name, ...passes.flatMap((p) => [row[p].median, row[p].min]), row.error.toExponential(0)]),
  ),
);
console.log(`\npeak: ${builds.map((build) => `${build} ${peak(build).median.toFixed(1)}`).join(", ")} GFLOP/s\n`);
const header = builds.flatMap((build) => passes.map((pass) => `${build} ${pass}`));
const others = peers.map(({ name }) => [name, ...builds.flatMap((b) => passes.map((pass) => ratio(name, b, pass)))]);
console.log(`How many times as long as ours\n\n${table(["", ...header], others as (string | number)[][])}\n`);
console.log(
  table(
    ["", "required", "measured", "best", ""],
    verdicts.map(({ what, required, measured, best }) => [
      what,
      required,
      measured,
      best,
      measured >= required ? "" : best >= required ? "missed by the median" : "MISSED",
    ]),
  ),
);
if (wanted !== undefined || rounds !== undefined) console.log("\nNo results written: this was part of a run");
else
  save("linear", {
    ...schedule,
    shape,
    rows,
    peaks: Object.fromEntries(builds.map((b) => [b, peak(b)])),
    scratch,
    verdicts,
  });

/** Checks the results of a row, then times it. */
async function add(row: string, calls: Record<Pass, () => Results | Promise<Results>>, every = 1): Promise<void> {
  for (const pass of passes) {
    const run = calls[pass];
    candidates.push({ name: `${row}: ${pass}`, row, pass, run, every, error: check(`${row}: ${pass}`, await run()) });
  }
}

function parseShape(text: string): Shape {
  const [rows, width, vocab] = text.split("x").map(Number);
  // Rows are pairs of completions of 32 tokens.
  if (rows && width && vocab && rows % 64 === 0 && (width * vocab) % 2 === 0) return { rows, width, vocab };
  throw new Error(
    `shape: expected rows x width x vocabulary, such as 512x576x49152, rows a multiple of 64, got ${text}`,
  );
}
