// JSON lines, one object per line, read as a stream; or one JSON array of objects, read whole.

import { type Bytes, peek, unpacked } from "./bytes.ts";
import { lineAndColumn, parseJson } from "./json.ts";
import { readLines } from "./lines.ts";
import { fileProblem, isSystemError, kindOfJson, refusal } from "./refusal.ts";
import type { Row, Source } from "./rows.ts";

/** Strings of some engines end at 2^29 characters, and a text is copied on its way. */
const longestText = 2 ** 28;

/** How much of a file there is and how much of it has been read, in bytes. */
export interface Progress {
  readonly size: number;
  read(): number;
}

/** The rows of JSON lines or of a JSON array; blank lines are skipped, but count. */
export function readJson(name: string, input: Bytes, progress?: Progress): Source {
  let isArray = false;
  let line = 0;
  const place = (row: number): string => (isArray ? `${name}: item ${row}` : `${name}:${row}`);

  async function* rows(): AsyncGenerator<Row[]> {
    try {
      const { head, all } = await peek(unpacked(name, input), 1);
      isArray = /^(\ufeff)?\s*\[/.test(head.toString());
      if (isArray) yield parseArray(name, await readText(name, all));
      else for await (const lines of readLines(all, place)) yield parseLines(lines);
    } catch (error) {
      throw isSystemError(error) ? fileProblem(name, error) : error;
    }
  }

  function parseLines(lines: readonly string[]): Row[] {
    const block: Row[] = [];
    for (const text of lines) {
      line++;
      const start = startOf(text);
      if (start === text.length) continue;
      const parsed = parseJson(text.slice(start));
      if ("problem" in parsed) throw refusal(`${place(line)}:${start + parsed.at + 1}: not JSON: ${parsed.problem}`);
      block.push([line, toFields(parsed.value, place(line))]);
    }
    return block;
  }

  function parseArray(name: string, text: string): Row[] {
    const value = parseText(name, text);
    return (value as unknown[]).map((item, i): Row => [i + 1, toFields(item, place(i + 1))]);
  }

  return {
    name,
    rows: rows(),
    place,
    done: () => progress?.read() ?? line,
    total: progress?.size,
  };
}

/** A whole text, without its byte order mark. */
export async function readText(name: string, bytes: Bytes): Promise<string> {
  const lines: string[] = [];
  let length = 0;
  for await (const block of readLines(bytes, (line) => `${name}:${line}`, longestText)) {
    for (const line of block) {
      length += line.length + 1;
      lines.push(line);
    }
    if (length > longestText)
      throw refusal(`${name}: longer than ${longestText / 2 ** 20} MiB; JSON lines may be longer`);
  }
  return lines.join("\n").replace(/^\ufeff/, "");
}

/** A whole text as JSON. */
function parseText(name: string, text: string): unknown {
  const parsed = parseJson(text);
  if (!("problem" in parsed)) return parsed.value;
  const { line, column } = lineAndColumn(text, parsed.at);
  throw refusal(`${name}:${line}:${column}: not JSON: ${parsed.problem}`);
}

/**
 * Where a line's JSON begins; at its end, if it is blank. A byte order mark may stand before it: at the start of a file,
 * and of any line where files were put together.
 */
export function startOf(line: string): number {
  let start = line.startsWith("\ufeff") ? 1 : 0;
  while (" \t\r".includes(line[start] ?? "-")) start++;
  return start;
}

function toFields(value: unknown, place: string): Row[1] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(`${place}: expected an object, got ${kindOfJson(value)}`);
  }
  return value as Row[1];
}
