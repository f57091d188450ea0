// What the doc comments in src/losses say for docs/losses.md.

import { readdirSync, readFileSync } from "node:fs";
import type { LossInfo } from "../../src/losses/loss.ts";

interface LossComment {
  /** When to use it, what to watch out for. */
  readonly note: string;
  /** Where it was published. */
  readonly paper: string;
}

const folder = new URL("../../src/losses/", import.meta.url);
const comments = new Map(readdirSync(folder).flatMap(readComment));

export function commentOf({ id }: Pick<LossInfo, "id">): LossComment {
  const comment = comments.get(id);
  if (!comment) throw new Error(`src/losses: expected a doc comment before the definition of ${id}, found none`);
  return comment;
}

function readComment(file: string): [id: string, LossComment][] {
  const text = readFileSync(new URL(file, folder), "utf8");
  const definition = /\/\*\*\n((?: \*.*\n)+?) \*\/\nexport const \w+ = defineLoss\(\{\n {2}id: "(\w+)"/.exec(text);
  if (!definition) return [];
  const [, comment = "", id = ""] = definition;
  const section = (tag: string): string => {
    // Lines that go on are indented as far as the first.
    const [, found] = new RegExp(`^ \\* ${tag} +(.+(?:\\n \\* {11}.+)*)`, "m").exec(comment) ?? [];
    if (found) return found.replaceAll(/\n \* +/g, " ");
    throw new Error(`src/losses/${file}: expected "${tag}" in its doc comment, found none`);
  };
  return [[id, { note: section("Note"), paper: section("Paper") }]];
}
