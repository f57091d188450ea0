// What `dpo-kernels bench --compare` prints.

import type { Change, Comparison, Verdict } from "../../bench.ts";
import { frame } from "../report.ts";

const order: readonly Verdict[] = ["slower", "faster", "unclear", "unchanged"];

export function comparisonText({ changes, confidence, interleaved, missing, skipped }: Comparison): string {
  const sorted = changes.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const runtimes = new Set(changes.map(({ runtime }) => runtime));
  const rows = sorted.map((change) => rowOf(change, runtimes.size > 1));
  const head = ["case", "candidate", "arrays", "after / before", "interval", "", "confidence"];
  const counts = order.map((verdict) => `${changes.filter((change) => change.verdict === verdict).length} ${verdict}`);
  return [
    ...(rows.length > 0 ? [frame([head, ...rows], { rules: [1], right: [3, 4, 6] })] : []),
    counts.join(", "),
    `Times, after over before, by the lower quartile of the rounds. With ${percent(confidence)} no interval of them all leaves out its ratio.`,
    interleaved
      ? "Both builds took turns in the same rounds."
      : "Measured at different times: what the machine did in between counts as uncertainty. Two builds that take turns, --compare FOLDER FOLDER, are told apart more surely.",
    ...skipped.map(({ case: name, candidate, why }) => words(`not compared: ${name}, ${candidate}: ${why}`)),
    ...missing.map((key) => `only one side has ${words(key)}`),
  ].join("\n");
}

const rowOf = ({ runtime, ratio, lower, upper, ...change }: Change, isSaid: boolean): string[] => [
  words(isSaid ? `${runtime}: ${change.case}` : change.case),
  words(change.candidate),
  change.arrays,
  ratio > 0 && ratio < Infinity ? ratio.toFixed(3) : "–",
  lower > 0
    ? `${lower.toFixed(2)}–${upper.toFixed(2)}`
    : ratio > 0 && ratio < Infinity
      ? "too few rounds"
      : "no time passed",
  change.verdict,
  percent(change.confidence),
];

/** Names come from files, and must not steer the terminal. */
const words = (text: string): string => text.replace(/\p{Cc}/gu, "\ufffd");

/** Down, and never 100 %: that is not what the numbers can show. */
const percent = (share: number): string => `${Math.min(99.9, Math.floor(1000 * share) / 10)} %`;
