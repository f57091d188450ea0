// Parquet with lists, structures and maps, as pyarrow, DuckDB and polars write them (test/golden/parquet-nested): levels, pages and
// row groups of every kind, damaged ones too.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openOutput } from "../src/cli/out.ts";
import { gatherShapes } from "../src/cli/parquet/infer.ts";
import { toJson } from "../src/cli/report.ts";
import { openSource } from "../src/cli/source.ts";
import { folder, write } from "./cli-run.ts";
import { mutantOf } from "./support/parquet-mutants.ts";

const golden = new URL("golden/parquet-nested/", import.meta.url);
const names = readdirSync(golden).filter((name) => name.endsWith(".parquet"));
const expected = JSON.parse(readFileSync(new URL("expected.json", golden), "utf8")) as Record<string, object[]>;
const expectedOf = (name: string): object[] => expected[/^(duckdb|polars)/.test(name) ? "few" : "rows"] ?? [];
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, golden)));

/** The rows as JSON has them: integers of 64 bits are numbers there. */
async function rowsOf(path: string, wanted: readonly string[] | "all" = "all"): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const block of (await openSource(path, wanted)).rows) {
    for (const [, row] of block) rows.push(JSON.parse(toJson(row)));
  }
  return rows;
}

describe("nested columns", () => {
  it.each(names)("%s", async (name) => {
    const rows = await rowsOf(write(name, bytesOf(name)));
    expect(rows.length).toBeGreaterThanOrEqual(30);
    expect(rows).toEqual(expectedOf(name).slice(0, rows.length));
    // Nothing depends on which other columns are read.
    const some = await rowsOf(`${folder}/${name}`, ["chosen", "safe"]);
    expect(some).toEqual(rows.map((row) => ({ chosen: (row as Row)["chosen"], safe: (row as Row)["safe"] })));
  });

  it.each(names)("%s, written again", async (name) => {
    const [from, to] = [write(name, bytesOf(name)), `${folder}/again-${name}`];
    const source = await openSource(from, "all");
    const output = await openOutput(to, [from], ["loss"], { shapes: source.shapes });
    for await (const block of source.rows) {
      const fields = block.map(([, row]) => row);
      await output.add(fields, () => ({ loss: 0.5 }));
    }
    expect(await output.keep()).toEqual([]);
    const rows = await rowsOf(to);
    expect(rows).toEqual(
      expectedOf(name)
        .slice(0, rows.length)
        .map((row) => ({ ...row, loss: 0.5 })),
    );
    const again = await openSource(to, "all");
    expect([...(again.shapes ?? [])].slice(0, -1)).toEqual([...(source.shapes ?? [])]);
  });

  it("of JSON: what is in all rows, or in the first of them, gives a column its shape", async () => {
    const rows = [
      { messages: [{ role: "user", content: "a" }], tools: [{ name: "f" }], odd: 1, none: null, empty: [] },
      {
        messages: [{ role: "user", content: null, tool_calls: [{ id: 7 }] }, null],
        tools: null,
        odd: ["x"],
        none: null,
        empty: [],
      },
    ];
    const gathered = gatherShapes();
    for (const row of rows) gathered.add(row);
    const to = `${folder}/from-json.parquet`;
    const output = await openOutput(to, [], [], { shapes: gathered.shapes() });
    await output.add(rows, () => ({}));
    await output.keep();
    const [first, second] = rows as readonly Row[] as readonly [Row, Row];
    const messages = [{ role: "user", content: "a", tool_calls: null }];
    expect(await rowsOf(to)).toEqual([{ ...first, messages }, second]);

    const other = await openOutput(`${folder}/varies.parquet`, [], []);
    await other.add(
      Array.from({ length: 1024 }, () => ({ messages: [{ role: "user" }] })),
      () => ({}),
    );
    const late = async (row: object): Promise<string> => {
      await other.add(
        Array.from({ length: 1024 }, () => row as Row),
        () => ({}),
      );
      return "written";
    };
    await expect(late({ messages: [{ role: "user", name: "x" }] })).rejects.toThrow(
      "--out: messages.name appears after",
    );
    await expect(late({ messages: [{ role: 7 }] })).rejects.toThrow(
      "--out: messages.role holds other than strings after",
    );
    await expect(late({ messages: "x" })).rejects.toThrow("--out: messages holds other than lists after");
    await expect(late({ others: "x" })).rejects.toThrow("--out: others appears after");
    await other.drop();
  });

  it("of damaged files are read as many rows of the same columns, or refused in a sentence", async () => {
    const files = names.map((name) => ({ name, bytes: bytesOf(name), columns: {} }));
    const path = `${folder}/mutant.parquet`;
    const counts = new Map(
      await Promise.all(files.map(async ({ name }) => [name, await rowsOf(write(name, bytesOf(name)))] as const)),
    );
    const tally = { same: 0, other: 0, refused: 0 };
    for (let number = 0; number < 400; number++) {
      const { file, how, bytes } = mutantOf(files, number);
      writeFileSync(path, bytes);
      const what = `${number}: ${file.name}, ${how}`;
      try {
        const rows = await rowsOf(path);
        const before = counts.get(file.name) ?? [];
        expect([what, rows.length]).toEqual([what, before.length]);
        expect(Object.keys(rows[0] as object)).toEqual(Object.keys(before[0] as object));
        tally[toJson(rows) === toJson(before) ? "same" : "other"]++;
      } catch (error) {
        const { message, exitCode } = error as Error & { exitCode?: number };
        const isSentence = message.startsWith(`${path}: `) && !/\n|undefined|is not a function|Cannot/.test(message);
        expect([what, message, exitCode, isSentence]).toEqual([what, message, 2, true]);
        tally.refused++;
      }
    }
    expect(Math.min(...Object.values(tally))).toBeGreaterThan(5);
  });
});

type Row = Record<string, unknown>;
