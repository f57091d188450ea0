// The frontier as a picture and as a page. In JavaScript, since Plot's types do not pass the checks of ours.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

const COLUMNS = 6;
/** Further than any loss is worth looking at. */
const FURTHEST = 16;

/** The picture: a panel for each loss, with each of its policies between the reference and the best that there is. */
export function frontierPlot({ reference, optimum, runs }) {
  const { document } = parseHTML("<!doctype html><html></html>");
  const losses = [...new Set(runs.map(({ loss }) => loss))];
  const place = (loss) => ({ column: losses.indexOf(loss) % COLUMNS, row: Math.floor(losses.indexOf(loss) / COLUMNS) });
  const start = { kl: 0, reward: reference.reward };
  const points = runs.flatMap(({ loss, beta, points }) =>
    [start, ...points].map((point) => ({ ...point, ...place(loss), beta: String(beta) })).filter(shown),
  );
  const facets = { fx: "column", fy: "row" };
  const marks = { x: "kl", y: "reward", stroke: "beta" };
  const plot = Plot.plot({
    document,
    ...{ width: 960, height: 760, marginLeft: 40, marginBottom: 36, marginTop: 48 },
    style: { background: "white", color: "black" },
    x: { type: "sqrt", domain: [0, FURTHEST], ticks: [0, 1, 4, 9], label: "KL, nats", labelArrow: "none" },
    y: { domain: [0.2, 1], ticks: [0.4, 0.6, 0.8, 1], label: "reward", labelArrow: "none", grid: true },
    fx: { axis: null, padding: 0.08 },
    fy: { axis: null, padding: 0.22 },
    color: { type: "ordinal", domain: [...new Set(runs.map(({ beta }) => String(beta)))], range: colours },
    marks: [
      Plot.ruleY([reference.reward], { stroke: "#999", strokeDasharray: "2,2" }),
      Plot.line(optimum.filter(shown), { x: "kl", y: "reward", stroke: "#999" }),
      Plot.line(points, { ...facets, ...marks, strokeWidth: 1.25 }),
      Plot.dot(
        points.filter(({ step }) => step),
        { ...facets, ...marks, fill: "beta", r: 1.75 },
      ),
      Plot.text(
        losses.map((loss) => ({ loss, ...place(loss) })),
        {
          ...facets,
          ...{ text: "loss", frameAnchor: "top-left", dy: -14, fontWeight: "bold", fontSize: 11 },
        },
      ),
    ],
  });
  const legend = [...new Set(runs.map(({ beta }) => beta))].map(
    (beta, i) => `<tspan fill="${colours[i]}">●</tspan> β ${beta}  `,
  );
  const key = `<text x="952" y="14" text-anchor="end" font-size="11">${legend.join("")}<tspan fill="#999">―</tspan> optimum  <tspan fill="#999">┄</tspan> reference</text>`;
  plot.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const text = plot.outerHTML.replace(/\d+\.\d{2,}/g, (number) => Number(number).toFixed(1));
  return `${text.replace(/<\/svg>$/, `${key}</svg>`)}\n`;
}

const colours = ["#d6442f", "#e39b25", "#3ca951", "#4269d0"];

const shown = ({ kl }) => kl <= FURTHEST;

/** The largest reward of a loss within so many nats; −∞ where it has no policy that near. */
export const bestWithin = (runs, loss, nats) =>
  Math.max(
    ...runs
      .filter((run) => run.loss === loss)
      .flatMap(({ points }) => points)
      .map(({ kl, reward }) => (kl <= nats ? reward : -Infinity)),
  );

/** The page: the picture beside it, and in numbers the best policy of each loss within some distances. */
export function frontierPage(result) {
  const { date, machine, seconds, settings, reference, runs } = result;
  const losses = [...new Set(runs.map(({ loss }) => loss))];
  const within = [0.5, 1, 2, 3];
  const cell = (reward) => `<td>${Number.isFinite(reward) ? reward.toFixed(3) : "–"}</td>`;
  const rows = losses.map(
    (loss) => `<tr><th>${loss}</th>${within.map((nats) => cell(bestWithin(runs, loss, nats))).join("")}</tr>`,
  );
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Reward and KL of every loss</title>
<style>body { font: 15px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1, h2 { font-weight: 600 } table { border-collapse: collapse; font-variant-numeric: tabular-nums } td, th { text-align: right; padding: 2px 12px; border-bottom: 1px solid #ddd }
th:first-child { text-align: left } img { max-width: 100%; height: auto }</style>
<h1>Reward and KL of every loss</h1>
<p>${losses.length} losses, ${runs.length} runs of ${Math.max(...settings.steps)} steps on ${settings.pairs} pairs; ${date}, ${machine.cpu}, ${seconds} s. The reference has ${reference.reward.toFixed(3)}.</p>
<img src="frontier.gen.svg" alt="Reward over KL: a panel for each loss">
<h2>The best reward within</h2>
<table><tr><th>loss</th>${within.map((nats) => `<th>${nats} nats</th>`).join("")}</tr>
${rows.join("\n")}</table>
</html>
`;
}
