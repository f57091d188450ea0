// Every key that docs/train.md says is followed is an option of `dpo-kernels train`, and so is every one that fromTrl reads.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { expect, it } from "vitest";
import { addKeys } from "../src/cli/train/keys.ts";
import { readKeys } from "../src/from-trl/keys.ts";

const options = addKeys(new Command()).options.map(({ long }) => long);
const section = readFileSync("docs/train.md", "utf8").split("\n## What is followed\n")[1]?.split("\n## ")[0] ?? "";
const followed = section
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  // Without the values in brackets.
  .map((line) => line.replace(/ \(.*?\)/, "").split(" | ")[0] ?? "")
  .flatMap((keys) => [...keys.matchAll(/`(\w+)/g)].map(([, key = ""]) => key));

it("the page names keys of the loop", () => {
  expect(followed).toEqual(expect.arrayContaining(["logging_steps", "eval_strategy", "sync_ref_model"]));
});

it.each([...new Set([...followed, ...Object.keys(readKeys)])])("%s", (key) => {
  expect(options).toContain(`--${key.replaceAll("_", "-")}`);
});
