// The rows of the matrix in docs/runtimes.md: each is a test, and leaves what became of it.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "vitest";
import { root } from "./processes.ts";

/** What was run last, a row a line; scripts/runtimes-matrix.ts reads it. */
const lastRun = join(root, "build/runtimes.jsonl");

/** What stands in a row; "works" where a test says nothing else. */
interface Row {
  simd?: string;
  pool?: string;
}

export const fallsBack: Row = { simd: "no: `createBackend` falls back to `js`", pool: "refuses at creation" };
export const fromItsText: Row = { pool: "works, workers from their text" };

/** A test of what a place does with SIMD in its thread and with a pool. */
export function row(place: string, title: string, run: () => Promise<Row | undefined>, patience = 180_000): void {
  const leave = (result: Row): void => {
    mkdirSync(join(root, "build"), { recursive: true });
    appendFileSync(lastRun, `${JSON.stringify({ place, simd: "works", pool: "works", ...result })}\n`);
  };
  it(title, { timeout: patience }, async () => {
    try {
      leave((await run()) ?? {});
    } catch (error) {
      leave({ simd: "**fails**", pool: "**fails**" });
      throw error;
    }
  });
}
