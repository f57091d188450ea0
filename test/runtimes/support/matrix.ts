// The cells of the matrix in docs/runtimes.md: each is a test, and leaves what became of it.

import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { it } from "vitest";
import { root } from "./processes.ts";

/** What was run last, a cell a line; scripts/generate/matrix.ts reads it. */
export const lastRun = join(root, "build/runtimes.jsonl");

/** A test of what a place does with one of its columns; what it returns, if anything, is said in place of "works". */
export function cell(
  place: string,
  column: "wasm" | "pool",
  title: string,
  run: () => Promise<unknown>,
  patience = 180_000,
): void {
  const leave = (result: string): void => {
    mkdirSync(join(root, "build"), { recursive: true });
    appendFileSync(lastRun, `${JSON.stringify({ place, column, result })}\n`);
  };
  it(title, { timeout: patience }, async () => {
    try {
      const said = await run();
      leave(typeof said === "string" ? said : "works");
    } catch (error) {
      leave("**fails**");
      throw error;
    }
  });
}
