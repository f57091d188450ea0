// The pictures of a report, as SVG text. In JavaScript, since Plot's types do not pass the checks of ours.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const shared = {
  width: 720,
  height: 260,
  marginLeft: 50,
  marginBottom: 40,
  style: { background: "white", color: "black" },
};

/** A picture by Plot's options: SVG text. */
export const svg = (options) => {
  const { document } = parseHTML("<!doctype html><html></html>");
  return Plot.plot({ ...shared, ...options, document }).outerHTML;
};

export const marginPlot = ({ from, to, counts }) => {
  // Margins that are all the same are one bar.
  const width = (to - from || counts.length) / counts.length;
  const bins = counts.map((pairs, i) => ({ from: from + i * width, to: from + (i + 1) * width, pairs }));
  return svg({
    x: { label: "margin of the rewards", labelAnchor: "center", labelArrow: "none" },
    y: { label: "pairs", grid: true },
    marks: [
      Plot.rectY(bins, { x1: "from", x2: "to", y: "pairs", fill: ({ to }) => (to <= 0 ? "#d6442f" : "#4269d0") }),
      Plot.ruleY([0]),
      Plot.ruleX([0], { stroke: "#999" }),
    ],
  });
};

export const accuracyPlot = (bins) =>
  svg({
    x: {
      label: "tokens of the longer completion",
      labelAnchor: "center",
      labelArrow: "none",
      domain: bins.map(({ tokens }) => tokens),
    },
    y: { label: "pairs with a margin above 0, %", domain: [0, 100], grid: true },
    marks: [
      Plot.barY(bins, { x: "tokens", y: "accuracy", fill: "#4269d0", inset: 1 }),
      Plot.text(bins, { x: "tokens", y: "accuracy", text: "pairs", dy: -7 }),
      Plot.ruleY([0]),
    ],
  });

/** Evaluations are points on their own steps; a resumed or logged-now-and-then curve is drawn through what it has. */
export const curvePlot = (name, curves) =>
  svg({
    height: 200,
    x: { label: "step", labelAnchor: "center", labelArrow: "none" },
    y: { label: name, grid: true, nice: true },
    color: { domain: curves.map((curve) => curve.name), legend: false, range: ["#4269d0", "#d6442f", "#3ca951"] },
    marks: curves.flatMap(({ name: series, points }) => [
      Plot.lineY(points, { x: "step", y: "value", stroke: () => series }),
      ...(points.length < 60 ? [Plot.dot(points, { x: "step", y: "value", fill: () => series, r: 2 })] : []),
      Plot.text(points.slice(-1), {
        x: "step",
        y: "value",
        text: () => series,
        textAnchor: "end",
        dy: -8,
        fill: () => series,
      }),
    ]),
  });
