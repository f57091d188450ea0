// The main job, `npm start`: every loss over the log-probs of a real language model on 2,312 real preference pairs.

import { readFileSync } from "node:fs";
import {
  type Backend,
  createJs,
  createWasm,
  type LossOptions,
  type LossType,
  losses,
  lossTypes,
  type PairLogps,
  type RowLogps,
} from "dpo-kernels";

const lines = readFileSync(new URL("data/hh-stories260k-logps.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");
const rows: Record<string, number>[] = lines.map((line) => JSON.parse(line));
const column = (name: string): Float32Array => Float32Array.from(rows, (row) => row[name] ?? Number.NaN);

const pairs: PairLogps = {
  policyChosen: column("policy_chosen_logps"),
  policyRejected: column("policy_rejected_logps"),
  referenceChosen: column("ref_chosen_logps"),
  referenceRejected: column("ref_rejected_logps"),
  chosenLengths: column("chosen_length"),
  rejectedLengths: column("rejected_length"),
};

// The same completions as rows, the chosen ones desirable.
const joined = (first: string, second: string): Float32Array => Float32Array.of(...column(first), ...column(second));
const singles: RowLogps = {
  policy: joined("policy_chosen_logps", "policy_rejected_logps"),
  reference: joined("ref_chosen_logps", "ref_rejected_logps"),
  desirable: Uint8Array.from({ length: 2 * rows.length }, (_, i) => Number(i < rows.length)),
};

// What some losses need and this file has not: a reward model's margin, 1 of every pair; mismatched rows, as likely as under the
// reference.
const margins = { rewardMargin: new Float32Array(rows.length).fill(1) };
const mismatched = { klPolicy: Float32Array.of(0), klReference: Float32Array.of(0) };

// Settings as guides give them where the defaults would say nothing: no label noise, a target of ±5 nats.
const settings: Partial<Record<string, LossOptions>> = {
  robust: { beta: 0.1, labelSmoothing: 0.1 },
  sppo_hard: { beta: 0.001 },
};

const backends: [string, Backend][] = [
  ["SIMD", await createWasm({ relaxed: false })],
  ...(await relaxedIfPresent()),
  ["JavaScript", createJs()],
];

async function relaxedIfPresent(): Promise<[string, Backend][]> {
  try {
    return [["relaxed SIMD", await createWasm({ relaxed: true })]];
  } catch {
    return []; // Node 20, Safari
  }
}

const norm = (...vectors: Float32Array[]): number =>
  Math.sqrt(vectors.reduce((sum, vector) => sum + vector.reduce((s, x) => s + x * x, 0), 0));

const out = { losses: column(""), gradChosen: column(""), gradRejected: column("") };
const rowOut = { losses: new Float32Array(2 * rows.length), grad: new Float32Array(2 * rows.length) };

/** A loss over all the pairs, or over their completions as rows. */
function call(backend: Backend, lossType: LossType): { loss: number; metrics: Record<string, number> } {
  const options = { lossType, ...settings[lossType] };
  const loss = losses[lossType];
  if ("row" in loss) {
    const given = "kl" in loss.params ? { ...singles, ...mismatched } : singles;
    return backend.unpairedLoss(given, { ...options, out: rowOut });
  }
  return backend.pairLoss("columns" in loss ? { ...pairs, ...margins } : pairs, { ...options, out });
}

/** Millions of pairs a second, from calls repeated for about 40 ms after as long a warm-up. */
function speed(backend: Backend, lossType: LossType): number {
  const run = (): number => {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < 40) for (let i = 0; i < 8; i++, calls++) call(backend, lossType);
    return (calls * rows.length) / (performance.now() - start) / 1000;
  };
  run();
  return run();
}

const header = ["loss", "value", "|gradient|", "accuracy", "margin", ...backends.map(([name]) => name)];
const table = lossTypes.map((lossType) => {
  const [, first] = backends[0] as [string, Backend];
  const { loss, metrics } = call(first, lossType);
  const gradients = "row" in losses[lossType] ? [rowOut.grad] : [out.gradChosen, out.gradRejected];
  const accuracy = metrics["rewards/accuracies"];
  return [
    lossType,
    loss.toPrecision(7),
    norm(...gradients).toExponential(3),
    accuracy === undefined ? "" : `${(100 * accuracy).toFixed(1)} %`,
    (metrics["rewards/margins"] ?? 0).toFixed(4),
    ...backends.map(([, backend]) => speed(backend, lossType).toFixed(0)),
  ];
});

const widths = header.map((title, i) => Math.max(title.length, ...table.map((row) => (row[i] ?? "").length)));
const print = (row: string[]): void =>
  console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "));

console.log(
  `${rows.length} pairs of Anthropic HH-RLHF, scored by stories260K before (reference) and after (policy) DPO.`,
);
console.log(`Speed in million pairs a second, losses and both gradients, one thread, Node ${process.versions.node}.\n`);
print(header);
for (const row of table) print(row);
