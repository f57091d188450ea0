// Runs the experiment and draws what came of it.
//
//   node examples/controlled-sentiment/run.ts [--out FOLDER]      results.json, frontier.gen.svg and frontier.gen.html, there

import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { lossTypes } from "dpo-kernels";
import { frontierPage, frontierPlot, type Report } from "./draw.mjs";
import { defaults, runExperiment } from "./experiment.ts";

const { values } = parseArgs({ options: { out: { type: "string" } } });
const folder = values.out ?? fileURLToPath(new URL(".", import.meta.url));

const bar = new SingleBar({ format: "{bar} {percentage} %, {eta_formatted} left, {loss}", clearOnComplete: true });
bar.start(lossTypes.length, 0, { loss: "the reference" });
const experiment = runExperiment(defaults);
let next = await experiment.next();
while (!next.done) {
  const { loss } = next.value;
  bar.update(lossTypes.indexOf(loss), { loss });
  next = await experiment.next();
}
bar.stop();

const { user, system } = process.cpuUsage();
const report: Report = {
  date: new Date().toISOString().slice(0, 10),
  machine: { cpu: cpus()[0]?.model ?? "", cores: availableParallelism(), node: process.versions.node },
  seconds: Math.round((user + system) / 1e6),
  ...next.value,
};
const files = {
  "results.json": JSON.stringify(report),
  "frontier.gen.svg": frontierPlot(report),
  "frontier.gen.html": frontierPage(report),
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
console.log(`${report.runs.length} runs, ${report.seconds} s of processor time: ${join(folder, "frontier.gen.html")}`);
