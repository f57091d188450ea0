// Figures as pictures and tables show them: what they are called, and in which units.

import type { BenchResult, Figure } from "../../../bench/types.ts";

/** A figure and the run that it is of. */
export interface Row {
  readonly figure: Figure;
  /** "node 26" */
  readonly runtime: string;
  /** "relaxed", "relaxed, own arrays" */
  readonly label: string;
  /** "ours": a module of SIMD; "other": our other backends; "peer" */
  readonly kind: "ours" | "other" | "peer";
}

/** Runs of the same runtime are told apart by their number. */
export function namesOf(results: readonly BenchResult[]): string[] {
  const seen = new Map<string, number>();
  return results.map(({ runtime: { name, version } }) => {
    const plain = `${name} ${version.split(/[.-]/)[0]}`.trim();
    const count = (seen.get(plain) ?? 0) + 1;
    seen.set(plain, count);
    return count === 1 ? plain : `${plain} (${count})`;
  });
}

export function rowsOf(results: readonly BenchResult[]): Row[] {
  const names = namesOf(results);
  return results.flatMap(({ figures }, k) =>
    figures.map((figure) => ({ figure, runtime: names[k] as string, label: labelOf(figure), kind: kindOf(figure) })),
  );
}

/** What a coarse clock saw no time pass for has no place on a logarithmic scale. */
export const isTimed = ({ figure }: Row): boolean => figure.median > 0;

/** Arrays are told where a library of ours has them elsewhere too: "allocate" is the plain case. */
export const labelOf = ({ candidate, arrays, ours }: Figure): string =>
  ours && arrays === "own" && !candidate.startsWith("js") ? `${candidate}, own arrays` : candidate;

const kindOf = ({ candidate, ours }: Figure): Row["kind"] =>
  ours ? (/^(plain|relaxed)/.test(candidate) ? "ours" : "other") : "peer";

/** In the order of their first ones; Node 20 has no Map.groupBy. */
export const groupBy = <T>(all: readonly T[], key: (one: T) => string): [string, T[]][] => {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return [...groups];
};

/** `<group>/<what>` of a case's name. */
export const familyOf = (name: string): string => name.slice(0, name.lastIndexOf("/"));

/** What a family is, for a person. */
export function titleOf(family: string): string {
  const [group = "", what = ""] = family.split("/");
  const title = titles.get(family) ?? titles.get(group);
  return title === undefined ? family : title.replace("%", () => what);
}

const titles = new Map(
  Object.entries({
    "logits/forward": "Logits to log-probs",
    "logits/both": "Logits to log-probs and gradient",
    "linear/forward": "Hidden states and head to log-probs",
    "linear/both": "Hidden states and head to log-probs and gradients",
    "pairs/sigmoid": "Log-probs of pairs to DPO's loss and gradients",
    pairs: "Log-probs of pairs to loss and gradients: %",
    rows: "Log-probs of single rows to loss and gradients: %",
    logits: "Logits: %",
    linear: "Hidden states and head: %",
    optimiser: "Optimiser: %",
    pool: "Worker pool: %",
    start: "Start: %",
  }),
);

const units = [
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
] as const;

/** Nanoseconds to three digits in the unit that suits them; without a shorter form for what is below one. */
export function timeText(nanoseconds: number): string {
  const [size, unit] = units.find(([least]) => nanoseconds >= least) ?? [1, "ns"];
  return `${threeDigits(nanoseconds / size)} ${unit}`;
}

export const threeDigits = (value: number): string =>
  value === 0 ? "0" : Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));

export const errorText = (value: number): string => (value === 0 ? "0" : value.toExponential(0));

export function bytesText(bytes: number): string {
  const [size, unit] = bytes >= 1e9 ? [1e9, "GB"] : bytes >= 1e6 ? [1e6, "MB"] : bytes >= 1e3 ? [1e3, "KB"] : [1, "B"];
  return `${threeDigits(bytes / size)} ${unit}`;
}

/** Work whose unit is one product or one call is shown as the time of a whole run. */
export const isWhole = ({ unit }: Figure): boolean => unit === "multiply-add" || unit === "call";

/** The time that is shown of a figure, in nanoseconds. */
export const shownTime = (figure: Figure, time: number = figure.median): number =>
  isWhole(figure) ? time * figure.units : time;

/** "ns a pair", "ms a call": what `shownTime` is a time of. */
export const perText = (figure: Figure): string => (isWhole(figure) ? "a call" : `a ${figure.unit}`);

/** Of products, each multiply-add being two operations. */
export const gigaflops = ({ median }: Figure): number => 2 / median;
