// The picture of docs/score.md, from the file that its command has written: node scripts/score-picture.ts.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gatherMargins } from "../src/cli/margins.ts";
import { marginPlot } from "../src/cli/plots.mjs";
import type { PairLossResult } from "../src/types.ts";

export const picture = fileURLToPath(new URL("../docs/score.gen.svg", import.meta.url));

/** The margins of a scored file as a histogram: SVG. */
export function drawScored(scored: string): string {
  const rows = scored
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const margins = gatherMargins();
  const rewards = (name: string) => Float32Array.from(rows, (row) => row[name]);
  margins.add({
    chosenRewards: rewards("chosen_reward"),
    rejectedRewards: rewards("rejected_reward"),
  } as PairLossResult);
  const spread = margins.spread();
  if (!spread) throw new Error("no pair has a margin");
  // In a page SVG needs no namespace, in a file of its own it does.
  return `${marginPlot(spread.histogram).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;
}

if (import.meta.main) {
  writeFileSync(picture, drawScored(readFileSync(new URL("../examples/score/scored.jsonl", import.meta.url), "utf8")));
}
