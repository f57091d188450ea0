// The parts of a benchmark's page: which figures each picture shows. A part without figures is "".

import { escaped } from "../../page.ts";
import { legendOf } from "./colours.ts";
import type * as Plots from "./plots.mjs";
import {
  bytesText,
  errorText,
  familyOf,
  gigaflops,
  groupBy,
  perText,
  type Row,
  shownTime,
  threeDigits,
  timeText,
  titleOf,
} from "./rows.ts";

export type Draw = typeof Plots;

const headed = (title: string, body: string): string => `<h3>${escaped(title)}</h3>\n${body}`;

const caseOf = ({ figure }: Row): string => figure.case;

/** Of each family the case that most candidates did; of several the largest. Those of plain JavaScript are not asked to do what takes long. */
export function largest(rows: readonly Row[]): [family: string, rows: Row[]][] {
  return groupBy(rows, ({ figure }) => familyOf(figure.case)).map(([family, all]) => {
    const cases = groupBy(all, caseOf).map(([, group]) => group);
    const units = (group: Row[]): number => group[0]?.figure.units ?? 0;
    const count = (group: Row[]): number =>
      group.filter(({ figure }) => !/^(plain-)?js$/.test(figure.candidate)).length;
    return [
      family,
      cases.reduce((a, b) => (count(b) > count(a) || (count(b) === count(a) && units(b) > units(a)) ? b : a)),
    ];
  });
}

/** Bars of each family's largest case. Kinds of which all candidates are ours, and a single one, need no bars. */
export function speedPart(draw: Draw, rows: readonly Row[]): string {
  return largest(rows)
    .filter(([, all]) => all.length > 1)
    .map(([family, all]) => {
      const [{ figure }] = all as [Row];
      const bars = all
        .map(({ figure, label, kind }) => ({
          label,
          kind,
          value: shownTime(figure),
          from: shownTime(figure, figure.lower),
          to: shownTime(figure, figure.upper),
          text: `${timeText(shownTime(figure))}${figure.unit === "multiply-add" ? `, ${threeDigits(gigaflops(figure))} GFLOP/s` : ""}`,
        }))
        .sort((a, b) => a.value - b.value);
      const [size, unit] = scaleOf(bars.at(-1)?.value ?? 1);
      const scaled = bars.map((bar) => ({ ...bar, value: bar.value / size, from: bar.from / size, to: bar.to / size }));
      return headed(`${titleOf(family)} (${figure.case})`, draw.barPlot(scaled, `${unit} ${perText(figure)}`));
    })
    .join("\n");
}

/** The unit of an axis whose largest value is so many nanoseconds. */
function scaleOf(most: number): readonly [size: number, unit: string] {
  return most >= 1e9 ? [1e9, "s"] : most >= 1e6 ? [1e6, "ms"] : most >= 1e3 ? [1e3, "µs"] : [1, "ns"];
}

/** A table of each family's largest case, where more than one runtime has it. */
export function runtimesPart(draw: Draw, rows: readonly Row[], names: readonly string[]): string {
  return largest(rows)
    .filter(([, all]) => new Set(all.map(({ runtime }) => runtime)).size > 1)
    .map(([family, all]) => {
      const [{ figure }] = all as [Row];
      const labels = groupBy(all, ({ label }) => label)
        .map(([label, group]) => ({ label, best: Math.min(...group.map((row) => row.figure.median)) }))
        .sort((a, b) => a.best - b.best)
        .map(({ label }) => label);
      const runtimes = names.filter((name) => all.some(({ runtime }) => runtime === name));
      const [size, unit] = scaleOf(Math.max(...all.map(({ figure }) => shownTime(figure))));
      const cells = all.map(({ figure, label, runtime }) => {
        const value = shownTime(figure) / size;
        return { runtime, label, value, text: String(Number(value.toPrecision(value < 0.1 ? 1 : 2))) };
      });
      const title = `${titleOf(family)} (${figure.case}), ${unit} ${perText(figure)}`;
      return headed(title, draw.matrixPlot(cells, { runtimes, labels }));
    })
    .join("\n");
}

/** Families with at least three sizes. */
export function sizesPart(draw: Draw, rows: readonly Row[]): string {
  return groupBy(rows, ({ figure }) => familyOf(figure.case))
    .filter(([, all]) => new Set(all.map(caseOf)).size >= 3)
    .map(([family, all]) => {
      const [{ figure }] = all as [Row];
      const points = all
        .map(({ figure, label }) => ({ label, units: figure.units, time: figure.median }))
        .sort((a, b) => a.units - b.units);
      const names = [...new Set(points.map(({ label }) => label))];
      const picture = draw.sizePlot(points, names, { x: `${figure.unit}s a call`, y: `ns a ${figure.unit}` });
      return headed(titleOf(family), legendOf(names) + picture);
    })
    .join("\n");
}

const workersOf = (candidate: string): number => Number(/^pool-(\d+)/.exec(candidate)?.[1] ?? 0);

/** Cases of which one worker and more were measured. */
export function workersPart(draw: Draw, rows: readonly Row[]): string {
  const pools = rows.filter(({ figure }) => workersOf(figure.candidate) > 0);
  const points = groupBy(pools, ({ figure }) => `${figure.case}, ${arraysText[figure.arrays]}`).flatMap(
    ([series, all]) => {
      const one = all.find(({ figure }) => workersOf(figure.candidate) === 1)?.figure.median;
      if (one === undefined || all.length < 2) return [];
      return all
        .map(({ figure }) => ({ series, workers: workersOf(figure.candidate), speedup: one / figure.median }))
        .sort((a, b) => a.workers - b.workers);
    },
  );
  if (points.length === 0) return "";
  const names = [...new Set(points.map(({ series }) => series))];
  return legendOf(names) + draw.workersPlot(points, names);
}

const arraysText = { allocate: "arrays of allocate", own: "own arrays", fresh: "fresh arrays" } as const;

export function memoryPart(draw: Draw, rows: readonly Row[]): string {
  return largest(rows.filter(({ figure }) => (figure.scratch ?? 0) > 0))
    .map(([family, all]) => {
      const [{ figure }] = all as [Row];
      const size = 1e6;
      const bars = all
        .map(({ figure, label, kind }) => {
          const value = (figure.scratch ?? 0) / size;
          return { label, kind, value, from: value, to: value, text: bytesText(figure.scratch ?? 0) };
        })
        .sort((a, b) => a.value - b.value);
      return headed(`${titleOf(family)} (${figure.case})`, draw.barPlot(bars, "MB beside inputs and outputs"));
    })
    .join("\n");
}

/** The worst error of each candidate in each kind of error, over all cases. An exact result has no place on the scale. */
export function errorsPart(draw: Draw, rows: readonly Row[]): string {
  return groupBy(
    rows.filter(({ figure }) => figure.error.value > 0),
    ({ figure }) => figure.error.of,
  )
    .map(([of, all]) => {
      const points = groupBy(all, ({ figure }) => figure.candidate)
        .map(([label, group]) => {
          const error = Math.max(...group.map(({ figure }) => figure.error.value));
          return { label, kind: (group[0] as Row).kind, error, text: errorText(error) };
        })
        .sort((a, b) => a.error - b.error);
      return headed(of, draw.errorPlot(points));
    })
    .join("\n");
}
