// What a training came to: a table and curves for the terminal, curves for a page.

import { plot } from "asciichart";
import { escaped, namedTable, notesList, writePage } from "../page.ts";
import { frame } from "../report.ts";
import type { Logged } from "./metrics-file.ts";

/** How a run ended, as `--json` prints it. */
export interface TrainReport {
  /** The folder that all of it lies in. */
  out: string;
  /** "stopped": the same command goes on from there. */
  state: "finished" | "stopped";
  step: number;
  steps: number;
  /** Of this run. */
  seconds: number;
  stepsPerSecond: number;
  backend: { name: string; reason: string };
  /** Of the last step, and the last of each evaluation's. */
  metrics: Record<string, number>;
  files: readonly string[];
  notes: readonly string[];
}

type Curve = { readonly name: string; readonly points: readonly { step: number; value: number }[] };

/** The pictures of a page, in order: what is drawn in each, by key. */
const pictures: readonly (readonly [title: string, keys: Readonly<Record<string, string>>])[] = [
  ["Loss", { training: "loss", evaluation: "eval_loss" }],
  ["Rewards", { chosen: "rewards/chosen", rejected: "rewards/rejected" }],
  ["Margin of the rewards", { training: "rewards/margins", evaluation: "eval_rewards/margins" }],
  ["Accuracy", { training: "rewards/accuracies", evaluation: "eval_rewards/accuracies" }],
  ["Norm of the gradient", { training: "grad_norm" }],
  ["Learning rate", { training: "learning_rate" }],
];

/** NaN and infinities are no points of a picture. */
const curveOf = (lines: readonly Logged[], name: string, key: string): Curve => ({
  name,
  points: lines.flatMap(({ step = 0, [key]: value }) =>
    value !== undefined && Number.isFinite(value) ? [{ step, value }] : [],
  ),
});

/** The last value of every key. */
export const lastOf = (lines: readonly Logged[]): Record<string, number> => Object.assign({}, ...lines, {});

/** Writes the page. Throws    a refusal where writing fails */
export async function writeTrainPage(path: string, report: TrainReport, lines: readonly Logged[]): Promise<void> {
  // What draws takes longer to load than all the rest, and most runs draw nothing.
  const { curvePlot } = await import("../plots.mjs");
  const drawn = pictures.flatMap(([title, keys]) => {
    const curves = Object.entries(keys).map(([name, key]) => curveOf(lines, name, key));
    const some = curves.filter(({ points }) => points.length > 0);
    return some.length === 0 ? [] : [`<h2>${title}</h2>\n${curvePlot(title.toLowerCase(), some)}`];
  });
  const body = `<h1>${escaped(report.out)}</h1>
<p>${escaped(summary(report))}</p>
${drawn.join("\n")}
<h2>The last of each</h2>
${namedTable(Object.entries(report.metrics))}
${notesList(report.notes)}`;
  await writePage(path, `${report.out}: training`, body);
}

const inTerminal = { loss: "loss", "rewards/margins": "margin of the rewards", "rewards/accuracies": "accuracy" };

/** Curves, a table of first and last values, and what is to be known of the run. */
export function trainText(report: TrainReport, lines: readonly Logged[]): string {
  const charts = Object.entries(inTerminal).flatMap(([key, title]) => {
    const { points } = curveOf(lines, title, key);
    return points.length > 1 ? [`${title}\n${chart(points.map(({ value }) => value))}`] : [];
  });
  const [first = {}] = lines;
  const rows = Object.entries(report.metrics)
    .filter(([key]) => key !== "step")
    .map(([key, last]) => [key, digits(first[key]), digits(last)]);
  return [
    ...charts,
    ...(rows.length > 0 ? [frame([["", "first", "last"], ...rows], { right: [1, 2], rules: [1] })] : []),
    summary(report),
    ...report.files.map((file) => `wrote ${file}`),
    ...report.notes.map((note) => `note: ${note}`),
  ].join("\n");
}

function summary({ state, step, steps, seconds, stepsPerSecond, backend }: TrainReport): string {
  const how = `${seconds.toFixed(1)} s (${Number(stepsPerSecond.toPrecision(3))} steps a second)`;
  return `${state}: step ${step} of ${steps}; this run took ${how} on ${backend.name}: ${backend.reason}`;
}

const columns = 64;

/** A curve in 64 columns at most, each the mean of its steps. */
function chart(values: readonly number[]): string {
  const width = Math.min(columns, values.length);
  const means = Array.from({ length: width }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / width), Math.floor(((i + 1) * values.length) / width));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  return plot(means, { height: 8, format: (value) => digits(value).padStart(10) });
}

const digits = (value: number | undefined): string => (value === undefined ? "" : String(Number(value.toPrecision(5))));
