// The pictures of a benchmark, as SVG text. In JavaScript, since Plot's types do not pass the checks of ours.

import * as Plot from "@observablehq/plot";
import { svg } from "../../plots.mjs";
import { coloured, colourOfName } from "./colours.ts";

/** Ours in blue, our other backends in light blue, others in grey: told apart without red and green, and in print. */
const colours = { ours: "#4a76e0", other: "#8fb0ee", peer: "#9a9a9a" };
const colourOf = ({ kind }) => colours[kind];
const centred = { labelAnchor: "center", labelArrow: "none" };
export const draw = (options) => svg({ style: { background: "white", color: "black", fontSize: "12px" }, ...options });
const longest = (texts) => Math.max(...texts.map((text) => text.length));
/** Pixels that labels of 12 px take. */
const marginFor = (texts) => 18 + 7.2 * longest(texts);

export const barPlot = (bars, unit) =>
  draw({
    height: 46 + 22 * bars.length,
    marginLeft: marginFor(bars.map(({ label }) => label)),
    marginRight: 20 + 6.6 * longest(bars.map(({ text }) => text)),
    marginBottom: 36,
    marginTop: 6,
    x: { label: unit, ...centred, grid: true, ticks: 6 },
    y: { label: null, domain: bars.map(({ label }) => label), tickSize: 0 },
    marks: [
      Plot.barX(bars, { x: "value", y: "label", fill: colourOf, insetTop: 2, insetBottom: 2 }),
      Plot.ruleY(bars, { x1: "from", x2: "to", y: "label", stroke: "currentColor", strokeWidth: 1.2 }),
      Plot.text(bars, {
        x: ({ value, to }) => Math.max(value, to),
        y: "label",
        text: "text",
        textAnchor: "start",
        dx: 5,
      }),
      Plot.ruleX([0]),
    ],
  });

export const matrixPlot = (cells, { runtimes, labels }) => {
  const logs = cells.map(({ value }) => Math.log(value));
  // White on the darker part, where black could not be read.
  const middle = 0.6 * Math.min(...logs) + 0.4 * Math.max(...logs);
  return draw({
    height: 46 + 24 * labels.length,
    marginLeft: marginFor(labels),
    marginTop: 40,
    marginBottom: 6,
    x: {
      label: null,
      axis: "top",
      domain: runtimes,
      tickSize: 0,
      tickFormat: (name) => name.replace(" ", "\n"),
    },
    y: { label: null, domain: labels, tickSize: 0 },
    color: { type: "log", interpolate: "rgb", range: ["#1d4fb8", "#eaf1fd"] },
    marks: [
      Plot.cell(cells, { x: "runtime", y: "label", fill: "value", inset: 1 }),
      Plot.text(cells, {
        x: "runtime",
        y: "label",
        text: "text",
        fill: ({ value }) => (Math.log(value) < middle ? "white" : "black"),
      }),
    ],
  });
};

/** A row for each runtime, a dot for each candidate: rings are not ours. */
export const runtimesPlot = (points, { runtimes, names }, unit) =>
  draw({
    height: 56 + 22 * runtimes.length,
    marginLeft: marginFor(runtimes),
    marginRight: 30,
    marginBottom: 40,
    marginTop: 6,
    x: {
      type: "log",
      label: unit,
      ...centred,
      grid: true,
      ticks: 6,
      tickFormat: "~g",
      domain: range(points.map(({ value }) => value)),
    },
    y: { label: null, domain: runtimes, tickSize: 0 },
    marks: [
      Plot.ruleY(runtimes, { strokeOpacity: 0.15 }),
      ...[false, true].map((ours) =>
        Plot.dot(
          points.filter((point) => point.ours === ours),
          {
            x: "value",
            y: "runtime",
            [ours ? "fill" : "stroke"]: ({ label }) => colourOfName(names, label),
            strokeWidth: 1.8,
            r: 4.5,
          },
        ),
      ),
    ],
  });

export const sharePlot = (points, names, limit) => {
  const cases = [...new Set(points.map((point) => point.case))];
  return draw({
    height: 60 + 24 * cases.length,
    marginLeft: marginFor(cases),
    marginRight: 30,
    x: {
      label: `% of ${limit}`,
      ...centred,
      grid: true,
      domain: [0, Math.max(100, ...points.map(({ share }) => share))],
    },
    y: { label: null, domain: cases, tickSize: 0 },
    color: coloured(names),
    marks: [
      Plot.ruleX([0]),
      Plot.ruleX([100], { strokeDasharray: "4 3" }),
      Plot.dot(points, { x: "share", y: "case", fill: "label", r: 4.5 }),
    ],
  });
};

/** A little more than the values, on a logarithmic scale. */
const range = (values) => [Math.min(...values) / 1.3, Math.max(...values) * 1.3];

export const sizePlot = (points, names, { x, y }) =>
  draw({
    height: 280,
    marginLeft: 60,
    x: { type: "log", label: x, ...centred, tickFormat: "~s" },
    y: { type: "log", label: y, grid: true, tickFormat: "~g", ticks: 6, domain: range(points.map(({ time }) => time)) },
    color: coloured(names),
    marks: [
      Plot.lineY(points, { x: "units", y: "time", stroke: "label", z: "label" }),
      Plot.dot(points, { x: "units", y: "time", fill: "label", r: 3 }),
    ],
  });

export const workersPlot = (points, names) => {
  const most = Math.max(2, ...points.map(({ workers }) => workers));
  return draw({
    height: 260,
    x: {
      label: "workers",
      ...centred,
      ticks: Array.from({ length: most }, (_, k) => k + 1),
      tickFormat: "d",
      domain: [1, most],
    },
    y: { label: "times as fast as one", grid: true, domain: [0, most] },
    color: coloured(names),
    marks: [
      Plot.line([{ n: 1 }, { n: most }], { x: "n", y: "n", stroke: "#999", strokeDasharray: "4 3" }),
      Plot.line(points, { x: "workers", y: "speedup", stroke: "series", z: "series" }),
      Plot.dot(points, { x: "workers", y: "speedup", fill: "series", r: 3.5 }),
      Plot.ruleY([0]),
    ],
  });
};

export const errorPlot = (points) =>
  draw({
    height: 50 + 20 * points.length,
    marginLeft: marginFor(points.map(({ label }) => label)),
    marginRight: 60,
    marginBottom: 36,
    marginTop: 6,
    x: {
      type: "log",
      label: "worst error against float64",
      ...centred,
      grid: true,
      ticks: 6,
      tickFormat: "~e",
      domain: range(points.map(({ error }) => error)),
    },
    y: { label: null, domain: points.map(({ label }) => label), tickSize: 0 },
    marks: [
      Plot.dot(points, { x: "error", y: "label", fill: colourOf, r: 5 }),
      Plot.text(points, { x: "error", y: "label", text: "text", textAnchor: "start", dx: 10 }),
    ],
  });
