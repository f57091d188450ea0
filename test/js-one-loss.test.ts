// The js backend runs one loss of the margin in a loop of its own: the results are those of the loop for any terms, to the last bit.

import { describe, expect, it } from "vitest";
import { createJs } from "../src/js.ts";
import type { PairLossOptions } from "../src/types.ts";
import { mapPairs, randomPairs, wide } from "./support/pairs.ts";
import { isSorted, variants } from "./support/variants.ts";

const js = createJs();
const edges = [0, -0, Infinity, -Infinity, Number.NaN, 1e-45, -3e38];

// Every fourth pair has an edge on one side: which, and on which, differs from array to array.
const random = randomPairs(560, 3);
const names = Object.keys(random);
const edged = mapPairs(random, (array, name) =>
  name.endsWith("Lengths")
    ? array
    : Float32Array.from(array, (x, i) =>
        i % 16 === 4 * (names.indexOf(name) % 4) ? (edges[(i >> 4) % edges.length] as number) : x,
      ),
);

describe("a loss by itself, and beside itself with weight 0", () => {
  for (const { name, id, options } of variants.filter(({ loss }) => !isSorted(loss))) {
    it(name, () => {
      const forms: PairLossOptions[] = [{ metrics: "full" }, { gradScale: 0 }, { gradScale: -3e5 }];
      for (const pairs of [random, edged, wide(edged)]) {
        for (const form of forms) {
          const alone = js.pairLoss(pairs, { ...options, ...form });
          const beside = js.pairLoss(pairs, { ...options, ...form, lossType: [id, id], lossWeights: [1, 0] });
          expect(alone).toEqual(beside);
        }
      }
    });
  }
});
