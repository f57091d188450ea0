// The lines of a text that comes in chunks of bytes.

import type { Bytes } from "./bytes.ts";
import { refusal } from "./refusal.ts";

/** A pair with its prompt and answers may take much space, but a file without line ends must not fill the memory. */
export const longestLine = 2 ** 26;

const lineEnd = 0x0a;

/**
 * The lines of UTF-8 text in blocks, without line feeds; the last line is given even if it is empty.
 *
 * Throws    a refusal that names the line and, where bytes are no UTF-8, the column; `place` puts the line into words
 */
export async function* readLines(
  chunks: Bytes,
  place: (line: number) => string,
  longest = longestLine,
): AsyncGenerator<string[]> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest: Buffer[] = [];
  let restLength = 0;
  let line = 0;

  function split(bytes: Buffer): string[] {
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch {
      throw notUtf8(bytes, line + 1, place);
    }
    const lines = text.split("\n");
    line += lines.length;
    return lines;
  }

  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(lineEnd);
    if (end >= 0) {
      const whole = Buffer.concat([...rest, chunk.subarray(0, end)]);
      rest = [];
      restLength = 0;
      yield split(whole);
    }
    const begun = chunk.subarray(end + 1);
    rest.push(begun);
    restLength += begun.length;
    if (restLength > longest) throw refusal(`${place(line + 1)}: longer than ${longest / 2 ** 20} MiB`);
  }
  yield split(Buffer.concat(rest));
}

/** Finds the first byte that is no UTF-8. */
function notUtf8(bytes: Buffer, firstLine: number, place: (line: number) => string): Error {
  // The longest beginning that decodes; whether one does is monotonous, so that halving finds it.
  const decodes = (length: number): string | undefined => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length), { stream: true });
    } catch {
      return undefined;
    }
  };
  let good = 0;
  let bad = bytes.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodes(middle) === undefined) bad = middle;
    else good = middle;
  }
  const lines = (decodes(good) ?? "").split("\n");
  return refusal(`${place(firstLine + lines.length - 1)}:${(lines.at(-1)?.length ?? 0) + 1}: not UTF-8`);
}
