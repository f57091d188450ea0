// Pictures below one another, each under its title and legend, as one file: on white, since a page that shows it may be dark.

import { colourOfName } from "../src/cli/bench/report/colours.ts";
import { escaped } from "../src/cli/page.ts";

export interface Part {
  readonly title: string;
  readonly picture: string;
  /** Names of the series. */
  readonly legend?: readonly string[];
  readonly isRing?: (name: string) => boolean;
}

const WIDTH = 720;
const LINE = 18;
const font = 'font-family="system-ui, sans-serif"';

export function stacked(parts: readonly Part[]): string {
  let top = 0;
  const placed = parts.map(({ title, picture, legend = [], isRing = () => false }) => {
    const heading = `<text x="8" y="${top + 20}" ${font} font-size="14" font-weight="600">${escaped(title)}</text>`;
    const key = legendAt(legend, top + 42, isRing);
    top += 28 + key.height;
    const inner = picture.replace("<svg ", `<svg x="0" y="${top}" `);
    top += Number(/height="([\d.]+)"/.exec(picture)?.[1]) + 12;
    return heading + key.text + inner;
  });
  const size = `viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="white"/>${placed.join("")}</svg>\n`;
}

/** Names with their colours, in as many lines as they take. */
function legendAt(names: readonly string[], y: number, isRing: (name: string) => boolean) {
  let [x, line] = [16, 0];
  const items = names.map((name) => {
    const width = 28 + 7 * name.length;
    if (x + width > WIDTH) [x, line] = [16, line + 1];
    const [at, colour] = [y + LINE * line, colourOfName(names, name)];
    const look = isRing(name) ? `fill="none" stroke="${colour}" stroke-width="1.8"` : `fill="${colour}"`;
    const item = `<circle cx="${x}" cy="${at - 4}" r="4" ${look}/><text x="${x + 9}" y="${at}" ${font} font-size="12">${escaped(name)}</text>`;
    x += width;
    return item;
  });
  return { text: items.join(""), height: names.length > 0 ? LINE * (line + 1) + 4 : 0 };
}
