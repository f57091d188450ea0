// PyTorch and TRL's chunked head beside our backends, in the same interleaved rounds: `node bench/yardsticks.bench.ts [--quick] [CASE …]`.

import { writeFileSync } from "node:fs";
import os from "node:os";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { allCases, ours, run, toResultFile } from "../dist/bench.js";
import { createYardsticks } from "./python/yardsticks.ts";

const words = process.argv.slice(2);
const quick = words.includes("--quick");
const names = words.filter((word) => word !== "--quick");

const forms = /^(pairs\/sigmoid|rows\/kto|logits\/(forward|both)|linear\/(forward|both)|optimiser\/adamw)\//;
const common = allCases()
  .filter((work) => forms.test(work.name) && (work.quick || !quick))
  .map(({ name }) => name);
const ourModules = (await ours()).filter((one) => "name" in one && /^(plain|relaxed)$/.test(one.name));

setFlagsFromString("--expose-gc");
const result = await run({
  quick,
  // Those of the table in a given time; named cases however long they take.
  ...(names.length > 0 ? {} : { total: quick ? 6000 : 120_000 }),
  cases: names.length > 0 ? names : common,
  candidates: [...ourModules, ...createYardsticks()],
  machine: { cpu: os.cpus()[0]?.model.trim() ?? "", platform: `${process.platform} ${process.arch}` },
  collect: runInNewContext("gc"),
  onProgress: ({ case: name, figures = [] }) => {
    for (const { candidate, arrays, median, unit } of figures) {
      console.log(
        `${name.padEnd(28)} ${candidate.padEnd(10)} ${arrays.padEnd(9)} ${median.toPrecision(4)} ns a ${unit}`,
      );
    }
  },
});
for (const { candidate, case: name = "", why } of result.skipped) console.log(`${candidate} ${name}: ${why}`);
if (names.length > 0 || quick) console.log("\nNo results written: this was part of a run");
else writeFileSync(new URL("results/bench-yardsticks.json", import.meta.url), toResultFile(result));
