// What it takes until there is a first loss: of a backend that is made, and of the package that is imported too.

import type { Problem } from "../types.ts";
import { each, type Family } from "./family.ts";
import { makeProblem } from "./pairs.ts";

export const startFamilies: readonly Family[] = each(["create", "import"] as const, (what) => ({
  name: `start/${what}`,
  group: "start",
  unit: "call",
  shape: "pairs",
  shapes: [[8]],
  quick: [[8]],
  make: ([n = 0]) => ({
    units: 1,
    prepare(): Problem {
      const { inputs, check } = makeProblem("sigmoid", n);
      return { inputs: { kind: "start", what, pairs: inputs }, check };
    },
  }),
}));
