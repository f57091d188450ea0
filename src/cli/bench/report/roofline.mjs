// What bounds each kind of work, as a picture: the machine's two limits as a roof, and under it how far each candidate comes.

import * as Plot from "@observablehq/plot";
import { colourOfName } from "./colours.ts";
import { draw } from "./plots.mjs";

const [width, height] = [720, 470];
const margins = { marginLeft: 52, marginRight: 112, marginTop: 108, marginBottom: 40 };
/** Pixels between two columns, whose labels would else be on one another. */
const APART = 18;

/** A logarithmic scale from values to pixels, and back. */
function logScale([from, to], [first, last]) {
  const perLog = (last - first) / Math.log(to / from);
  return {
    toPixel: (value) => first + perLog * Math.log(value / from),
    toValue: (pixel) => from * Math.exp((pixel - first) / perLog),
    perLog,
  };
}

/** Ascending numbers, so far from one another at least: half-way between moving all to the right and all to the left. */
export function movedApart(numbers, apart) {
  const right = [];
  for (const number of numbers) right.push(Math.max(number, (right.at(-1) ?? Number.NEGATIVE_INFINITY) + apart));
  const left = [];
  for (const number of numbers.toReversed())
    left.push(Math.min(number, (left.at(-1) ?? Number.POSITIVE_INFINITY) - apart));
  return right.map((number, k) => (number + left[left.length - 1 - k]) / 2);
}

export const rooflinePlot = (points, names, { bandwidth, roofs }) => {
  const rates = [...points.map(({ rate }) => rate), ...roofs.map(({ peak }) => peak)];
  const intensities = points.map(({ intensity }) => intensity);
  const x = [Math.min(0.1, Math.min(...intensities) / 2), 2 * Math.max(...intensities)];
  const y = [Math.min(bandwidth * x[0], ...rates) / 1.4, 1.5 * Math.max(...rates)];
  const across = logScale(x, [margins.marginLeft, width - margins.marginRight]);
  const up = logScale(y, [height - margins.marginBottom, margins.marginTop]);

  const cases = [...new Map(points.map((point) => [point.case, point.intensity]))].sort(([, a], [, b]) => a - b);
  const places = movedApart(
    cases.map(([, intensity]) => across.toPixel(intensity)),
    APART,
  );
  const columns = new Map(cases.map(([name], k) => [name, across.toValue(places[k])]));
  const columnOf = (point) => columns.get(point.case);

  const best = Math.max(...roofs.map(({ peak }) => peak));
  const slope = [x[0], best / bandwidth].map((at) => ({ at, rate: bandwidth * at }));
  const line = { stroke: "currentColor", strokeWidth: 1.6 };
  return draw({
    width,
    height,
    ...margins,
    x: {
      type: "log",
      domain: x,
      label: "operations for each byte read or written",
      labelAnchor: "center",
      labelArrow: "none",
      tickFormat: "~g",
      ticks: 6,
    },
    y: { type: "log", domain: y, label: null, grid: true, tickFormat: "~g", ticks: 6 },
    marks: [
      Plot.ruleX(columns.values(), { strokeOpacity: 0.2 }),
      Plot.text(columns, { x: "1", y: y[1], text: "0", textAnchor: "start", rotate: -55, dx: 2, dy: -6 }),
      Plot.text(["GFLOP/s"], { frameAnchor: "top-left", textAnchor: "start", dx: -46, dy: -18 }),
      Plot.line(slope, { x: "at", y: "rate", ...line }),
      Plot.text(slope.slice(0, 1), {
        x: "at",
        y: "rate",
        text: () => `reads ${bandwidth.toPrecision(2)} GB/s`,
        textAnchor: "start",
        // Along the slope, as steep as the scales make it.
        rotate: (Math.atan2(up.perLog, across.perLog) * 180) / Math.PI,
        dx: 4,
        dy: -12,
      }),
      Plot.link(roofs, { x1: ({ peak }) => peak / bandwidth, x2: x[1], y1: "peak", y2: "peak", ...line }),
      Plot.text(roofs, {
        x: x[1],
        y: "peak",
        text: ({ name, peak }) => `${name} ${peak.toPrecision(2)}`,
        textAnchor: "start",
        dx: 6,
      }),
      ...[false, true].map((ours) =>
        Plot.dot(
          points.filter((point) => point.ours === ours),
          {
            x: columnOf,
            y: "rate",
            [ours ? "fill" : "stroke"]: ({ label }) => colourOfName(names, label),
            strokeWidth: 1.8,
            r: 4.2,
          },
        ),
      ),
    ],
  });
};
