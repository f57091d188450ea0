// Cases of the benchmark in shapes that take no time, for the tests of what is measured beside us.

import { families, selectCases } from "../../src/bench/cases/index.ts";

const shapes: Readonly<Record<string, string>> = {
  pairs: "37",
  rows: "37",
  logits: "10x33",
  linear: "10x8x33",
  optimiser: "37",
};

/** One of each family that peers may have a form of. */
export const tinyCases = () =>
  selectCases({
    quick: false,
    patterns: families.flatMap(({ name, group }) => (shapes[group] ? [`${name}/${shapes[group]}`] : [])),
  });
