// A page about a scored data set: how margins are spread, where the model prefers what it should, and the pairs that it gets most wrong.

import { rename, writeFile } from "node:fs/promises";
import type { PairLossResult } from "../../types.ts";
import type { Batch } from "../read-pairs.ts";
import { fileProblem } from "../refusal.ts";
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

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? "");

const digits = (value: unknown): string => (typeof value === "number" ? String(Number(value.toPrecision(6))) : "–");

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

const style = `body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% } td, th { text-align: right; padding: 2px 8px; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left } pre { white-space: pre-wrap; margin: 0 } svg { max-width: 100%; height: auto } details { text-align: left }`;

/** Writes the page; it appears under its name when it is complete. Throws    a refusal where writing fails */
export async function writePage(
  path: string,
  report: Report,
  { lengths, worst }: Pick<ReturnType<typeof gatherForPage>, "lengths" | "worst">,
  source: Source,
): Promise<void> {
  // What draws takes longer to load than all the rest, and most runs draw nothing.
  const { accuracyPlot, marginPlot } = await import("./plots.mjs");
  const losses = report.losses.map(({ id, weight = 1 }) => (weight === 1 ? id : `${weight} ${id}`)).join(" + ");
  const means = [["loss", report.loss] as const, ...Object.entries(report.metrics)];
  const heads = ["pair", "margin", "chosen", "rejected", "ref. chosen", "ref. rejected", "tokens", "tokens"];
  const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(report.file)}: ${escaped(losses)}</title><style>${style}</style>
<h1>${escaped(report.file)}</h1>
<p>${report.pairs} pairs, ${escaped(losses)}.</p>
<table>${means.map(([name, mean]) => `<tr><th>${escaped(name)}</th><td>${digits(mean)}</td></tr>`).join("")}</table>
<h2>Margins</h2>
${report.margins ? marginPlot(report.margins.histogram) : "<p>No pair has one.</p>"}
<h2>Accuracy by length</h2>
${accuracyPlot(lengths())}
<h2>The pairs furthest from what they should be</h2>
<table><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr>
${worst()
  .map((pair) => pairOf(pair, source))
  .join("\n")}</table>
<ul>${report.notes.map((note) => `<li>${escaped(note)}</li>`).join("")}</ul>
</html>
`;
  try {
    await writeFile(`${path}.part`, page);
    await rename(`${path}.part`, path);
  } catch (error) {
    throw fileProblem(path, error);
  }
}
