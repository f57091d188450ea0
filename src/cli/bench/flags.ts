// Which options belong together: what is given beside what would not look at it is refused, not passed over.

import type { Command } from "commander";
import { printable } from "../../checks/printable.ts";
import { refusal } from "../refusal.ts";

const measuring = ["quick", "cases", "seed", "peers", "out", "format"];
const comparing = ["compare", "format", "failOnSlower"];

/** What each way of calling the command looks at. */
const takes = {
  "a measurement in this Node": [...measuring, "processorTime", "report"],
  "--runtimes": [...measuring, "runtimes", "report"],
  "--page": [...measuring, "page"],
  "results to draw": ["report"],
  "a comparison of results": comparing,
  "a comparison of builds": [...comparing, "against", "quick", "cases", "seed", "processorTime"],
} as const satisfies Record<string, readonly string[]>;

export type Way = keyof typeof takes;

/** Throws    a refusal that names an option, or the results, that this way of calling it would not look at */
export function checkFlags(way: Way, command: Command, paths: readonly string[]): void {
  const [path] = paths;
  if (path !== undefined && way !== "results to draw") {
    throw refusal(`${printable(path)}: results are for --report, not for ${way}`);
  }
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== "cli" || isTaken(way, name)) continue;
    const ways = Object.keys(takes).filter((other) => isTaken(other as Way, name) && other !== option.long);
    throw refusal(`${option.long}: ${ways.length > 0 ? `is for ${ways.join(", ")}; ` : ""}not for ${way}`);
  }
}

const isTaken = (way: Way, name: string): boolean => (takes[way] as readonly string[]).includes(name);
