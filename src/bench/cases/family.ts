// Cases of one kind and of any shape.

import type { Case, Group, Problem } from "../types.ts";

/** What differs between the shapes of a family. */
export interface Work {
  readonly units: number;
  readonly bytes?: number;
  readonly flops?: number;
  prepare(): Problem;
}

export interface Family {
  /** `<group>/<what>`. */
  readonly name: string;
  readonly group: Group;
  readonly unit: string;
  /** What the numbers of a shape count, in words: "pairs", "rows x vocabulary". */
  readonly shape: string;
  /** Why there is no such shape; undefined where there is. */
  refuse?(shape: readonly number[]): string | undefined;
  /** What whole runs measure, from small to large; the first of these `quick` ones too. */
  readonly shapes: readonly (readonly number[])[];
  readonly quick: readonly (readonly number[])[];
  make(shape: readonly number[]): Work;
}

export const nameOf = ({ name }: Family, shape: readonly number[]): string => `${name}/${shape.join("x")}`;

export function caseOf(family: Family, shape: readonly number[]): Case {
  const name = nameOf(family, shape);
  const quick = family.quick.some((other) => nameOf(family, other) === name);
  return { name, group: family.group, unit: family.unit, quick, ...family.make(shape) };
}

/** The same for calls that differ in one word. */
export const each = <T extends string>(words: readonly T[], make: (word: T) => Family): Family[] => words.map(make);
