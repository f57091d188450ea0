// The printer runs when the package is built and is no part of what is built.

import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const files = globSync("src/**/*.ts", { cwd: root });
const text = (file: string): string => readFileSync(new URL(file, root), "utf8");

it("nothing else in src imports it, nor acorn", () => {
  const others = files.filter((file) => !file.startsWith("src/print/"));
  expect(others.length).toBeGreaterThan(50);
  expect(others.filter((file) => /from "(?:[^"]*\/print\/[^"]*|acorn)"/.test(text(file)))).toEqual([]);
});

it("it reads and writes no file and imports no module of Node", () => {
  const printer = files.filter((file) => file.startsWith("src/print/"));
  expect(printer.length).toBeGreaterThan(5);
  expect(printer.filter((file) => /from "node:|\bprocess\b/.test(text(file)))).toEqual([]);
});
