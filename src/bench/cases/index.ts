// The cases: a table of those that are measured by themselves, and of any other shape by name.

import { ParamError } from "../../errors.ts";
import type { Case } from "../types.ts";
import { caseOf, type Family, nameOf } from "./family.ts";
import { linearFamilies } from "./linear.ts";
import { logitsFamilies } from "./logits.ts";
import { optimiserFamilies } from "./optimiser.ts";
import { pairFamilies } from "./pairs.ts";
import { poolFamilies } from "./pool.ts";
import { rowFamilies } from "./rows.ts";
import { startFamilies } from "./start.ts";

export const families: readonly Family[] = [
  ...pairFamilies,
  ...rowFamilies,
  ...logitsFamilies,
  ...linearFamilies,
  ...optimiserFamilies,
  ...poolFamilies,
  ...startFamilies,
];

/** The cases of a complete run. */
export const allCases = (): Case[] => families.flatMap((family) => family.shapes.map((shape) => caseOf(family, shape)));

/**
 * The cases that patterns name: `*` stands for any characters, `{a,b}` for either. A name without a `*` is that case of any shape, such as
 * `pairs/sigmoid/8` or `logits/both/64x1000`, whether or not it is in the table.
 *
 * Throws    ParamError, where a pattern names none
 */
export function selectCases({ patterns, quick }: { patterns?: readonly string[] | undefined; quick: boolean }): Case[] {
  const table = allCases();
  if (!patterns) return table.filter((work) => work.quick || !quick);
  const found = new Map<string, Case>();
  for (const pattern of patterns.flatMap(alternatives)) {
    const test = new RegExp(`^${pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")}$`);
    const named = pattern.includes("*") ? table.filter(({ name }) => test.test(name)) : [makeCase(pattern)];
    if (named.length === 0) {
      throw new ParamError("out-of-range", `cases: expected the name of a case, or a pattern of some, got ${pattern}`);
    }
    for (const work of named) found.set(work.name, work);
  }
  return [...found.values()];
}

/** Throws    ParamError */
function makeCase(name: string): Case {
  const [, first = name, numbers = ""] = /^(.*)\/([^/]*)$/.exec(name) ?? [];
  const family = families.find((other) => other.name === first);
  const expected = (what: string) => new ParamError("out-of-range", `cases: expected ${what}, got ${name}`);
  if (!family) throw expected(`one of ${families.map((other) => `${other.name}/…`).join(", ")}`);
  const shape = numbers.split("x").map(Number);
  const [example = []] = family.shapes;
  if (shape.length !== example.length || !shape.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw expected(`${family.shape}, as in ${nameOf(family, example)}`);
  }
  const refused = family.refuse?.(shape);
  if (refused) throw expected(`${family.shape}, ${refused}`);
  return caseOf(family, shape);
}

/** `a/{b,c}` as `a/b` and `a/c`. */
function alternatives(pattern: string): string[] {
  const [, before = "", words, after = ""] = /^([^{]*)\{([^}]*)\}(.*)$/.exec(pattern) ?? [];
  return words === undefined ? [pattern] : words.split(",").flatMap((word) => alternatives(before + word + after));
}
