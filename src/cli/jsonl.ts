// JSON lines: one object per line, read as a stream.

import type { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { fileProblem, refusal } from "./refusal.ts";
import type { Row, Source } from "./source.ts";

/** A pair with its prompt and answers may take some space, but a file without line ends must not fill the memory. */
const longestLine = 2 ** 20;

type Input = Readable & { bytesRead?: number };

/** The rows of a stream of JSON lines, opened when the first is asked for; blank lines are skipped, but count. */
export function readJsonl(name: string, open: () => Input, total: number | undefined): Source {
  const place = (line: number): string => `${name}:${line}`;
  let input: Input | undefined;
  let line = 0;

  async function* rows(): AsyncGenerator<Row[]> {
    input = open();
    // An error of the input ends the gunzip stream with the same error: there is nothing to add in the callback.
    const text = name.endsWith(".gz") ? pipeline(input, createGunzip(), () => {}) : input;
    text.setEncoding("utf8");
    let rest = "";
    try {
      for await (const chunk of text as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        yield parse(lines);
        if (rest.length > longestLine) throw refusal(`${place(line + 1)}: longer than ${longestLine} characters`);
      }
    } catch (error) {
      throw isSystemError(error) ? fileProblem(name, error) : error;
    }
    yield parse([rest]);
  }

  function parse(lines: readonly string[]): Row[] {
    const block: Row[] = [];
    for (const text of lines) {
      line++;
      const json = text.trim(); // takes off a byte order mark too
      if (json !== "") block.push([line, parseObject(json, place(line))]);
    }
    return block;
  }

  return { name, rows: rows(), place, done: () => (total === undefined ? line : (input?.bytesRead ?? 0)), total };
}

/** Opening, reading and unzipping fail with a code. */
const isSystemError = (error: unknown): boolean => error instanceof Error && "code" in error;

function parseObject(line: string, place: string): Record<string, unknown> {
  // Python's json writes NaN and Infinity bare.
  const value = parseJson(line) ?? parseJson(line.replace(/(:\s*)(-?(?:NaN|Infinity))\b/g, '$1"$2"'));
  if (value === undefined) throw refusal(`${place}: not JSON`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(`${place}: expected an object`);
  }
  return value as Record<string, unknown>;
}

/** `undefined` where the text is not JSON. The parser's own message would quote the line, and with it the prompt. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
