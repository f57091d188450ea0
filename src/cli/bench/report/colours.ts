// The colours of series: light enough for dark pages, dark enough for white ones. A candidate has the same in every picture.

import { escaped } from "../../page.ts";

const candidates = new Map(
  Object.entries({
    relaxed: "#3f6fe0",
    "relaxed, own arrays": "#93b4f5",
    plain: "#e0822c",
    "plain, own arrays": "#f2bd86",
    js: "#2f9e7a",
    webgpu: "#b07a52",
    "onnxruntime-web": "#a96bf5",
    "onnxruntime-node": "#e0609a",
    "tfjs-wasm": "#17a2c4",
    "jax-js": "#7a9a01",
    "plain-js": "#888888",
  }),
);
const others = [
  "#3f6fe0",
  "#e0822c",
  "#2f9e7a",
  "#b07a52",
  "#a96bf5",
  "#e0609a",
  "#17a2c4",
  "#7a9a01",
  "#d0455e",
  "#888888",
];

export const colourOfName = (names: readonly string[], name: string): string =>
  candidates.get(name) ?? (others[names.indexOf(name) % others.length] as string);

/** Plot's scale for series by their names. */
export const coloured = (names: readonly string[]) => ({
  domain: names,
  range: names.map((name) => colourOfName(names, name)),
  legend: false,
});

/** What the colours of a picture mean, as HTML; a ring for those that `isRing`. */
export const legendOf = (names: readonly string[], isRing: (name: string) => boolean = () => false): string => {
  const items = names.map((name) => {
    const mark = `<span style="color:${colourOfName(names, name)}">${isRing(name) ? "○" : "●"}</span>`;
    return `<span class="series">${mark} ${escaped(name)}</span>`;
  });
  return `<p class="legend">${items.join(" ")}</p>`;
};
