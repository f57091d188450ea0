// Calls that are large enough to be spread over workers. Their problems are those of the same calls on one thread.

import type { Family } from "./family.ts";
import { linearFamilies } from "./linear.ts";
import { logitsFamilies } from "./logits.ts";
import { pairFamilies } from "./pairs.ts";

export const poolFamilies: readonly Family[] = [
  of(pairFamilies, "pairs/sigmoid", "pairs", [[1_000_000]], []),
  of(
    logitsFamilies,
    "logits/both",
    "logits",
    [
      [128, 32_000],
      [512, 32_000],
    ],
    [[128, 32_000]],
  ),
  of(linearFamilies, "linear/both", "linear", [[256, 576, 8192]], []),
];

function of(families: readonly Family[], name: string, what: string, shapes: number[][], quick: number[][]): Family {
  const family = families.find((other) => other.name === name) as Family;
  return { ...family, name: `pool/${what}`, group: "pool", shapes, quick };
}
