// Cases of one kind and of any shape.

import type { Case, Group, Problem, Work } from "../types.ts";

/** What differs between the shapes of a family. */
export interface Shaped {
  readonly units: number;
  readonly work?: Work;
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
  /** What whole runs measure, from small to large, and which of it quick runs measure too. */
  readonly shapes: readonly (readonly number[])[];
  readonly quick: readonly (readonly number[])[];
  make(shape: readonly number[]): Shaped;
}

export const nameOf = ({ name }: Family, shape: readonly number[]): string => `${name}/${shape.join("x")}`;

export function caseOf(family: Family, shape: readonly number[]): Case {
  const name = nameOf(family, shape);
  const quick = family.quick.some((other) => nameOf(family, other) === name);
  return { name, group: family.group, unit: family.unit, quick, ...family.make(shape) };
}

/** Work that memory bounds, from the bytes and operations of a unit. */
export const streamed = (units: number, bytes: number, flops: number): Work => ({
  bytes: units * bytes,
  flops: units * flops,
  bound: "bandwidth",
});

/** The same for calls that differ in one word. */
export const each = <T extends string>(words: readonly T[], make: (word: T) => Family): Family[] => words.map(make);
