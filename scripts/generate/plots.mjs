// Draws docs/losses/<loss>.gen.svg: the loss of one pair (or row) at its defaults, and its gradients. The curves are those of the js
// backend, whose formulas are the definitions as they stand. In JavaScript, since Plot's types do not pass the checks of ours.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { createJs } from "../../src/js.ts";
import { lossTable } from "../../src/losses/index.ts";

const POINTS = 161;
const WIDTH = 340;
const HEIGHT = 220;

const js = createJs();
const one = (value) => Float64Array.of(value);

/** One pair whose log-probs differ by x, beside a reference without a margin; every other column is 1. */
function pairCurves({ id, columns }, range) {
  const ones = ["chosenLengths", "rejectedLengths", ...columns].map((name) => [name, one(1)]);
  // Log-probs are at most 0, which a loss without a reference may feel.
  const at = (x) => ({
    ...Object.fromEntries(ones),
    policyChosen: one((x - range) / 2),
    policyRejected: one((-x - range) / 2),
    referenceChosen: one(-range / 2),
    referenceRejected: one(-range / 2),
  });
  const pair = (x) => js.pairLoss(at(x), { lossType: id });
  return {
    values: { loss: (x) => pair(x).loss },
    gradients: {
      "gradient, chosen": (x) => pair(x).gradChosen[0],
      "gradient, rejected": (x) => pair(x).gradRejected[0],
    },
  };
}

/** One row whose log-ratio is x, desirable or not. */
function rowCurves({ id, params }) {
  const mismatched = "kl" in params ? { klPolicy: one(0), klReference: one(0) } : {};
  const row = (x, desirable) =>
    js.unpairedLoss(
      { policy: one(x), reference: one(0), desirable: Uint8Array.of(desirable), ...mismatched },
      { lossType: id },
    );
  return {
    values: { "loss, desirable": (x) => row(x, 1).loss, "loss, undesirable": (x) => row(x, 0).loss },
    gradients: {
      "gradient, desirable": (x) => row(x, 1).grad[0],
      "gradient, undesirable": (x) => row(x, 0).grad[0],
    },
  };
}

/** One panel: `curves`, each a name and its value at x, over the same axis. */
function panel(document, curves, range, label) {
  const names = Object.keys(curves);
  const points = Object.entries(curves).flatMap(([curve, value]) =>
    Array.from({ length: POINTS }, (_, k) => {
      const x = (2 * range * k) / (POINTS - 1) - range;
      return { x, y: rounded(value(x)), curve };
    }).filter(({ y }) => Number.isFinite(y)),
  );
  return Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: 40,
    marginLeft: 46,
    marginBottom: 34,
    style: { background: "white", color: "black" },
    x: { label, labelAnchor: "center", labelArrow: "none", ticks: 5 },
    y: { label: null, grid: true, ticks: 5 },
    color: { domain: names, range: ["#4269d0", "#d6442f"] },
    marks: [
      Plot.ruleY([0], { stroke: "#999" }),
      Plot.lineY(points, { x: "x", y: "y", stroke: "curve", strokeWidth: 1.75 }),
      ...names.map((name, k) =>
        Plot.text([name], { frameAnchor: "top-right", dy: 14 * k - 34, fill: () => name, text: [name] }),
      ),
    ],
  });
}

/** The picture of a loss, as SVG text: its value beside its gradients, each on a scale of its own. */
function plotOf(loss) {
  // At β = 0.1 a summed margin matters over tens of nats, one per token over a few.
  const range = loss.perToken ? 8 : 40;
  const label = `${loss.unit === "row" ? "log-ratio" : "margin"}, nats${loss.perToken ? " per token" : ""}`;
  const { document } = parseHTML(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${2 * WIDTH} ${HEIGHT}" width="${2 * WIDTH}" height="${HEIGHT}"></svg>`,
  );
  const picture = document.querySelector("svg");
  const { values, gradients } = loss.unit === "row" ? rowCurves(loss) : pairCurves(loss, range);
  for (const [k, curves] of [values, gradients].entries()) {
    const part = panel(document, curves, range, label);
    part.setAttribute("x", String(k * WIDTH));
    picture.append(part);
  }
  return `${picture.outerHTML}\n`;
}

// Six digits: a picture shows no more, and they are the same on every machine.
const rounded = (y) => Number(y.toPrecision(6));

/** docs/losses/<loss>.gen.svg of every loss in the table. */
export const lossPlots = () =>
  Object.fromEntries(Object.values(lossTable).map((loss) => [`docs/losses/${loss.id}.gen.svg`, plotOf(loss)]));
