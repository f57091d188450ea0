// JSON lines: one object per line, read as a stream.

import type { Readable } from "node:stream";
import { unpacked } from "./bytes.ts";
import { parseJson } from "./json.ts";
import { readLines } from "./lines.ts";
import { fileProblem, isSystemError, kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./source.ts";

type Input = Readable & { bytesRead?: number };

/** The rows of a stream of JSON lines, opened when the first is asked for; blank lines are skipped, but count. */
export function readJsonl(name: string, open: () => Input, total: number | undefined): Source {
  const place = (line: number): string => `${name}:${line}`;
  let input: Input | undefined;
  let line = 0;

  async function* rows(): AsyncGenerator<Row[]> {
    input = open();
    try {
      for await (const lines of readLines(unpacked(name, input), place)) yield parse(lines);
    } catch (error) {
      throw isSystemError(error) ? fileProblem(name, error) : error;
    }
  }

  function parse(lines: readonly string[]): Row[] {
    const block: Row[] = [];
    for (const text of lines) {
      line++;
      const start = startOf(text);
      if (start < text.length) block.push([line, parseObject(text, start, place(line))]);
    }
    return block;
  }

  return { name, rows: rows(), place, done: () => (total === undefined ? line : (input?.bytesRead ?? 0)), total };
}

/**
 * Where a line's JSON begins; at its end, if it is blank. A byte order mark may stand before it: at the start of a file,
 * and of any line where files were put together.
 */
function startOf(line: string): number {
  let start = line.startsWith("\ufeff") ? 1 : 0;
  while (" \t\r".includes(line[start] ?? "-")) start++;
  return start;
}

function parseObject(line: string, start: number, place: string): Record<string, unknown> {
  const parsed = parseJson(line.slice(start));
  if ("problem" in parsed) throw refusal(`${place}:${start + parsed.at + 1}: not JSON: ${parsed.problem}`);
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(`${place}: expected an object, got ${kindOfJson(value)}`);
  }
  return value as Record<string, unknown>;
}
