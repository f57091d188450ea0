// TRL's version numbers.

import { printable, quoted } from "../checks/printable.ts";
import { outOfRange } from "../checks/refusals.ts";
import { KindError } from "../errors.ts";

export interface Version {
  readonly text: string;
  readonly parts: readonly number[];
}

// "0.24.0", "v0.24", and what Python calls a version besides: "0.29.0.dev0", "1.0.0rc1".
const pattern = /^v?(\d+(?:\.\d+)+)(?:\.?(?:a|b|rc|dev|post)\d*)?(?:\+[\w.]+)?$/;

/** Reads a version number with at least one dot. */
export function parseVersion(value: unknown): Version {
  if (typeof value !== "string") {
    throw new KindError(`version: expected a string such as "0.24.0", got a ${typeof value}`);
  }
  const digits = pattern.exec(value)?.[1];
  if (digits === undefined) {
    throw outOfRange("version", 'a version such as "0.24.0"', quoted(value));
  }
  return { text: printable(value.replace(/^v/, "")), parts: digits.split(".").map(Number) };
}

/** Whether a version is older than a release, part by part as numbers: 0.9.6 is before 0.28, 0.28 not before 0.28.0. */
export function before({ parts }: Version, release: string): boolean {
  const bound = release.split(".").map(Number);
  for (let i = 0; i < Math.max(parts.length, bound.length); i++) {
    const difference = (parts[i] ?? 0) - (bound[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
