// Tunes the head of a small language model on preference pairs, with the loss and the settings of a TRL DPOConfig.
//
//   node examples/train-head/run.ts [--toy] [--lora RANK] [--loss-type NAME …] [--beta B] [--steps N] [--lr RATE]
//                                   [--config CONFIG.json] [FILE.safetensors]

import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { createBackend, fromTrl } from "dpo-kernels";
import { chart } from "./chart.ts";
import { evaluate, fullHead, loraHead, type StepReport, trainHead } from "./step.ts";
import { readTask } from "./task.ts";
import { randomFrom, toyTask } from "./toy.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    toy: { type: "boolean", default: false },
    lora: { type: "string" },
    "loss-type": { type: "string", multiple: true },
    beta: { type: "string" },
    steps: { type: "string" },
    lr: { type: "string" },
    config: { type: "string" },
  },
});

const data = new URL("../../../shared/data/hh-stories260k.safetensors", import.meta.url);
const [file = data] = positionals;
if (!values.toy && !existsSync(file)) {
  console.log("Needs hidden states, a head and preference pairs in a safetensors file: README.md beside this file.");
  console.log("Without: node examples/train-head/run.ts --toy, on pairs that it makes up.");
  process.exit(1);
}
const task = values.toy ? toyTask() : readTask(readFileSync(file));

// Where neither the command line nor a configuration says anything: 100 steps of 16 pairs, at a rate that a head bears.
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const given = {
  loss_type: values["loss-type"],
  beta: number(values.beta),
  max_steps: number(values.steps),
  learning_rate: number(values.lr),
};
const { loss, train, warnings } = fromTrl({
  max_steps: 100,
  per_device_train_batch_size: 16,
  learning_rate: values.lora ? 1e-2 : 1e-3,
  warmup_ratio: 0.1,
  ...(values.config && JSON.parse(readFileSync(values.config, "utf8"))),
  ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
});
for (const warning of warnings) console.log(`warning: ${warning}`);

const backend = await createBackend({ for: "linear" });
const rank = Number(values.lora ?? 0);
const head = rank > 0 ? loraHead(task, randomA(rank), rank, 2 * rank) : fullHead(task);

// As PEFT begins: uniform within 1/√D.
function randomA(rank: number): Float32Array {
  const random = randomFrom(train.seed ?? 42);
  const bound = 1 / Math.sqrt(task.hiddenSize);
  return Float32Array.from({ length: rank * task.hiddenSize }, () => (2 * random() - 1) * bound);
}

const before = await evaluate(backend, task, head, loss);
const reports: StepReport[] = [];
const bar = new SingleBar({
  format: "{bar} {percentage} %, {eta_formatted} left, loss {loss}, accuracy {accuracy}",
  barCompleteChar: "█",
  barIncompleteChar: "░",
  clearOnComplete: true,
  linewrap: true,
});
const started = performance.now();
for await (const report of trainHead(backend, task, { head, loss, train })) {
  reports.push(report);
  const shown = {
    loss: report.loss.toFixed(4),
    accuracy: (report.metrics["rewards/accuracies"] ?? Number.NaN).toFixed(2),
  };
  if (report.step === 0) bar.start(report.steps, 1, shown);
  else bar.update(reports.length, shown);
}
bar.stop();
const seconds = (performance.now() - started) / 1000;
const after = await evaluate(backend, task, head, loss);

const trained = Object.values(head.parameters).reduce((sum, { length }) => sum + length, 0);
const kind = rank > 0 ? `LoRA of rank ${rank}` : "full head";
console.log(
  `${task.name}: ${task.trainPairs} pairs, ${kind} (${trained} numbers), ${[loss.lossType ?? "sigmoid"].flat()}`,
);
console.log(`${reports.length} steps of ${reports[0]?.pairs} pairs in ${seconds.toFixed(1)} s\n`);
const series = (key: string): number[] => reports.map(({ metrics }) => metrics[key] ?? Number.NaN);
console.log(
  chart(
    "loss",
    reports.map((report) => report.loss),
  ),
);
console.log(chart("margin of rewards", series("rewards/margins")));
console.log(chart("accuracy", series("rewards/accuracies")));

console.log(`\n${task.pairs - task.trainPairs} pairs that were not trained on, before → after`);
const line = (name: string, of: (result: typeof before) => number | undefined): void =>
  console.log(`${name.padEnd(10)}${(of(before) ?? 0).toFixed(4)} → ${(of(after) ?? 0).toFixed(4)}`);
line("loss", (result) => result.loss);
line("margin", ({ metrics }) => metrics["rewards/margins"]);
line("accuracy", ({ metrics }) => metrics["rewards/accuracies"]);
