// The main job, `npm start`: every loss over the log-probs of a real language model on 2,312 real preference pairs.

import { readFileSync } from "node:fs";
import { type Backend, createJs, createWasm, type LossOptions, lossTypes, type PairLogps } from "dpo-kernels";

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

/** Millions of pairs a second, from calls repeated for about 40 ms after as long a warm-up. */
function speed(backend: Backend, options: LossOptions): number {
  const out = { losses: column(""), gradChosen: column(""), gradRejected: column("") };
  const run = (): number => {
    const start = performance.now();
    let calls = 0;
    while (performance.now() - start < 40)
      for (let i = 0; i < 8; i++, calls++) backend.pairLoss(pairs, { ...options, out });
    return (calls * rows.length) / (performance.now() - start) / 1000;
  };
  run();
  return run();
}

const header = ["loss", "value", "|gradient|", "accuracy", "margin", ...backends.map(([name]) => name)];
const table = lossTypes.map((lossType) => {
  const options = { lossType, ...settings[lossType] };
  const [, first] = backends[0] as [string, Backend];
  const { loss, gradChosen, gradRejected, metrics } = first.pairLoss(pairs, options);
  return [
    lossType,
    loss.toPrecision(7),
    norm(gradChosen, gradRejected).toExponential(3),
    `${(100 * (metrics["rewards/accuracies"] ?? 0)).toFixed(1)} %`,
    (metrics["rewards/margins"] ?? 0).toFixed(4),
    ...backends.map(([, backend]) => speed(backend, options).toFixed(0)),
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
