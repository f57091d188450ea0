// A page about a scored data set: how margins are spread, where the model prefers what it should, and the pairs that it gets most wrong.

import type { PairLossResult } from "../../types.ts";
import { digits, escaped, namedTable, notesList, writePage } from "../page.ts";
import type { Batch } from "../read-pairs.ts";
import type { Report } from "../report.ts";
import type { Source } from "../rows.ts";

/** A pair that is shown. */
interface Shown {
  readonly row: number;
  readonly margin: number;
  readonly fields: Readonly<Record<string, unknown>>;
}

const mostShown = 20;
const longestText = 600;

/** What is noted of pairs for a page, in memory that does not grow with them. */
export function gatherForPage() {
  /** By the power of two that the longer completion's tokens begin with. */
  const lengths = new Map<number, { wins: number; pairs: number }>();
  let worst: Shown[] = [];
  return {
    add({ chosenRewards, rejectedRewards }: PairLossResult, { rows, fields }: Batch): void {
      for (const [i, own] of fields.entries()) {
        const margin = (chosenRewards?.[i] ?? Number.NaN) - (rejectedRewards?.[i] ?? Number.NaN);
        const tokens = Math.max(Number(own["chosen_length"]), Number(own["rejected_length"]));
        const bin = tokens < 1 ? 0 : 2 ** Math.floor(Math.log2(tokens));
        const sum = lengths.get(bin) ?? { wins: 0, pairs: 0 };
        lengths.set(bin, { wins: sum.wins + Number(margin > 0), pairs: sum.pairs + 1 });
        if (margin < (worst[mostShown - 1]?.margin ?? Infinity)) {
          worst.push({ row: rows[i] as number, margin, fields: own });
          // Of equal margins the first: the order of a stable sort.
          worst = worst.sort((a, b) => a.margin - b.margin).slice(0, mostShown);
        }
      }
    },
    /** Of each power of two that occurs, in order. */
    lengths: () =>
      [...lengths]
        .sort(([a], [b]) => a - b)
        .map(([bin, { wins, pairs }]) => ({
          tokens: bin < 2 ? String(bin) : `${bin}–${2 * bin - 1}`,
          accuracy: (100 * wins) / pairs,
          pairs,
        })),
    worst: (): readonly Shown[] => worst,
  };
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? "", null, 1);
  return escaped(text.length > longestText ? `${text.slice(0, longestText)}…` : text);
}

function pairOf({ row, margin, fields }: Shown, source: Source): string {
  const numbers = [
    "chosen_logps",
    "rejected_logps",
    "ref_chosen_logps",
    "ref_rejected_logps",
    "chosen_length",
    "rejected_length",
  ];
  const cells = [margin, ...numbers.map((name) => fields[name])].map((value) => `<td>${digits(value)}</td>`).join("");
  const texts = ["prompt", "chosen", "rejected"]
    .filter((name) => (fields[name] ?? null) !== null)
    .map((name) => `<dt>${name}</dt><dd><pre>${textOf(fields[name])}</pre></dd>`);
  return `<tr><td>${escaped(source.place(row))}</td>${cells}</tr>
<tr><td colspan="8"><details><summary>text</summary><dl>${texts.join("")}</dl></details></td></tr>`;
}

/** Writes the page; it appears under its name when it is complete. Throws    a refusal where writing fails */
export async function writeReport(
  path: string,
  report: Report,
  { lengths, worst }: Pick<ReturnType<typeof gatherForPage>, "lengths" | "worst">,
  source: Source,
): Promise<void> {
  // What draws takes longer to load than all the rest, and most runs draw nothing.
  const { accuracyPlot, marginPlot } = await import("../plots.mjs");
  const losses = report.losses.map(({ id, weight = 1 }) => (weight === 1 ? id : `${weight} ${id}`)).join(" + ");
  const means = [["loss", report.loss] as const, ...Object.entries(report.metrics)];
  const heads = ["pair", "margin", "chosen", "rejected", "ref. chosen", "ref. rejected", "tokens", "tokens"];
  const body = `<h1>${escaped(report.file)}</h1>
<p>${report.pairs} pairs, ${escaped(losses)}.</p>
${namedTable(means)}
<h2>Margins</h2>
${report.margins ? marginPlot(report.margins.histogram) : "<p>No pair has one.</p>"}
<h2>Accuracy by length</h2>
${accuracyPlot(lengths())}
<h2>The pairs furthest from what they should be</h2>
<table><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr>
${worst()
  .map((pair) => pairOf(pair, source))
  .join("\n")}</table>
${notesList(report.notes)}`;
  await writePage(path, `${report.file}: ${losses}`, body);
}
