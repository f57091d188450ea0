// The header that all benchmark reports share, and the file they are written to.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import os from "node:os";
import { clock } from "./measure.ts";

/**
 * Writes `results/<name>-node<major>.json`: date, machine, versions, then the figures, fractions to four digits. `versions` names what
 * took part beside the dependencies.
 */
export function save(name: string, figures: Record<string, unknown>, versions: Record<string, string> = {}): void {
  if (clock === "cpu") {
    console.log("\nNo results written: they would be of processor time");
    return;
  }
  const { node, v8 } = process.versions;
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: { cpu: os.cpus()[0]?.model, cores: os.availableParallelism(), platform: `${os.platform()} ${os.arch()}` },
    // Processes that wanted to run in the last 1, 5 and 15 minutes; this one is among them.
    load: os.loadavg(),
    versions: {
      node,
      v8,
      "dpo-kernels": readPackage("../package.json").version,
      ...readPackage("package.json").dependencies,
      ...versions,
    },
    ...figures,
  };
  const file = `results/${name}-node${node.split(".")[0]}.json`;
  const rounded = (_key: string, value: unknown) =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  mkdirSync(new URL("results/", import.meta.url), { recursive: true });
  writeFileSync(new URL(file, import.meta.url), `${JSON.stringify(report, rounded, 2)}\n`);
  console.log(`\nbench/${file} written`);
}

function readPackage(path: string): { version?: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
}
