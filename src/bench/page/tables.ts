// A result as tables of a page: one for each case, then what was not measured.

import type { BenchResult, Figure } from "../types.ts";

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  ...content: readonly (string | Node)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

const digits = (value: number): string => String(Number(value.toPrecision(3)));

const row = (cell: "td" | "th", texts: readonly string[]): HTMLElement =>
  element("tr", ...texts.map((text) => element(cell, text)));

function tableOf(name: string, figures: readonly Figure[]): HTMLElement {
  const unit = figures[0]?.unit ?? "unit";
  const heads = ["", `ns a ${unit}`, "half of the rounds", "rounds", "error against float64", ""];
  const rows = [...figures]
    .sort((a, b) => a.median - b.median)
    .map(({ candidate, arrays, median, lower, upper, rounds, error }) =>
      row("td", [
        `${candidate}, ${arrays}`,
        digits(median),
        `${digits(lower)} to ${digits(upper)}`,
        String(rounds.length),
        error.value.toExponential(1),
        error.of,
      ]),
    );
  return element("table", element("caption", name), row("th", heads), ...rows);
}

export function tables({ figures, skipped, notes, runtime }: BenchResult): HTMLElement[] {
  const names = [...new Set(figures.map((figure) => figure.case))];
  const facts = `${runtime.name} ${runtime.version}, its clock moves in steps of ${digits(runtime.clockStep)} ms`;
  const missing = skipped.map(({ case: name, candidate, why }) => `${name ? `${name}, ` : ""}${candidate}: ${why}`);
  const lists = [notes, missing].filter((list) => list.length > 0);
  return [
    element("p", facts),
    ...names.map((name) =>
      tableOf(
        name,
        figures.filter((figure) => figure.case === name),
      ),
    ),
    ...lists.map((list) => element("ul", ...list.map((text) => element("li", text)))),
  ];
}
