// Minified code in short lines: an error that nobody catches prints the line that it was thrown in.
//
// measured: lines of 800 characters take 0.25 KB gzip of 42, of 400 0.4 KB, of 120 1 KB.

import { decode, encode, type SourceMapSegment } from "@jridgewell/sourcemap-codec";
import { type Node, parse } from "acorn";

const WIDTH = 800;

/** The same code in lines of about so many characters, and its source map, if it has one. */
export function shortLines(code: string, map: { mappings: string } | undefined) {
  const breaks = breaksOf(code);
  const starts = [0, ...breaks];
  const text = starts.map((start, k) => code.slice(start, breaks[k])).join("\n");
  if (!map) return { code: text, map };
  const lines: SourceMapSegment[][] = [];
  let [at, part] = [0, 0];
  const given = decode(map.mappings);
  code.split("\n").forEach((line, k) => {
    let out: SourceMapSegment[] = [];
    lines.push(out);
    let start = at;
    const follow = (to: number): void => {
      for (let next = breaks[part]; next !== undefined && next <= to; next = breaks[part]) {
        out = [];
        lines.push(out);
        start = next;
        part++;
      }
    };
    for (const [column, ...source] of given[k] ?? []) {
      follow(at + column);
      out.push([at + column - start, ...source] as SourceMapSegment);
    }
    at += line.length + 1;
    follow(at - 1);
  });
  return { code: text, map: { ...map, mappings: encode(lines) } };
}

/** Where lines are broken: each as late as it may be, for the next place lies beyond its width. */
function breaksOf(code: string): number[] {
  const program = parse(code, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
  const places = placesIn(program).sort((a, b) => a - b);
  const breaks: number[] = [];
  let start = 0;
  places.forEach((at, k) => {
    const before = code.lastIndexOf("\n", at - 1) + 1;
    start = Math.max(start, before);
    if (at === start || (places[k + 1] ?? code.length) - start <= WIDTH) return;
    breaks.push(at);
    start = at;
  });
  return breaks;
}

/** The starts of statements, members, declarations and properties: a line may end before each of them. */
function placesIn(node: unknown): number[] {
  if (Array.isArray(node)) return node.flatMap(placesIn);
  if (typeof node !== "object" || node === null) return [];
  const { type, body, declarations, properties } = node as Node & Record<string, unknown>;
  const lists: Record<string, unknown> = {
    Program: body,
    BlockStatement: body,
    StaticBlock: body,
    ClassBody: body,
    VariableDeclaration: declarations,
    ObjectExpression: properties,
  };
  const starts = ((lists[type] ?? []) as Node[]).map(({ start }) => start);
  return [...starts, ...Object.values(node).flatMap(placesIn)];
}
