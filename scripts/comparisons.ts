// What pictures and tables compare beside libraries: runtimes, workers, sizes. Of whatever results there are.

import { globSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BenchResult, Figure } from "../src/bench/types.ts";
import { familyOf, isTimed, namesOf, type Row, rowsOf } from "../src/cli/bench/report/rows.ts";
import { readResult } from "./figures.ts";

const order = ["node", "deno", "bun", "chromium", "firefox", "webkit", "workerd"];

/** The committed results, one for each runtime. */
export function allResults(): BenchResult[] {
  const root = fileURLToPath(new URL("../", import.meta.url));
  const place = ({ runtime: { name } }: BenchResult): number =>
    (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return globSync("bench/results/bench-*[0-9].json", { cwd: root })
    .map(readResult)
    .sort(
      (a, b) => place(a) - place(b) || Number.parseInt(a.runtime.version, 10) - Number.parseInt(b.runtime.version, 10),
    );
}

export interface AcrossRuntimes {
  readonly case: string;
  readonly runtimes: readonly string[];
  readonly rows: readonly Row[];
}

/** Of a family the case that most runtimes did, the largest of several, without plain JavaScript. */
export function acrossRuntimes(results: readonly BenchResult[], family: string): AcrossRuntimes | undefined {
  const rows = rowsOf(results).filter(
    (row) => familyOf(row.figure.case) === family && isTimed(row) && !/^(plain-)?js$/.test(row.figure.candidate),
  );
  const cases = [...Map.groupBy(rows, ({ figure }) => figure.case)].map(([name, all]) => {
    const runtimes = new Set(all.map(({ runtime }) => runtime));
    return { case: name, rows: all, runtimes: namesOf(results).filter((one) => runtimes.has(one)) };
  });
  const units = ({ rows: [row] }: AcrossRuntimes): number => row?.figure.units ?? 0;
  return cases.sort((a, b) => b.runtimes.length - a.runtimes.length || units(b) - units(a))[0];
}

/** The quickest of the rows that pass. */
export const quickest = (rows: readonly Row[], test: (row: Row) => boolean): Figure | undefined =>
  rows.filter(test).sort((a, b) => a.figure.median - b.figure.median)[0]?.figure;

export interface Workers {
  readonly case: string;
  readonly arrays: Figure["arrays"];
  /** How many times as fast as a call on this thread. */
  readonly speedups: readonly (readonly [workers: number, times: number])[];
}

/** Every case of pools, arrays of `allocate` first. */
export function workersOf(result: BenchResult): Workers[] {
  const figures = result.figures.filter(({ group }) => group === "pool");
  return [...Map.groupBy(figures, ({ case: name, arrays }) => JSON.stringify([arrays, name]))]
    .map(([key, all]) => {
      const [arrays, name] = JSON.parse(key) as [Figure["arrays"], string];
      const count = ({ candidate }: Figure): number => Number(/^pool-(\d+)$/.exec(candidate)?.[1] ?? 0);
      const direct = Math.min(...all.filter((figure) => count(figure) === 0).map(({ median }) => median));
      const speedups = all.flatMap((figure) =>
        count(figure) > 0 ? [[count(figure), direct / figure.median] as const] : [],
      );
      return { case: name, arrays, speedups: speedups.sort(([a], [b]) => a - b) };
    })
    .filter(({ speedups }) => speedups.length > 0)
    .sort((a, b) => a.arrays.localeCompare(b.arrays));
}
