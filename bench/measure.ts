// Timing of several candidates in turn, and tables for people.

export interface Candidate {
  name: string;
  run(): unknown;
}

/** Nanoseconds per unit of work. */
export interface Timing {
  median: number;
  min: number;
}

/**
 * Times the candidates in turn, A B C A B C …, so that what else the machine does hits all alike. At each turn a candidate
 * runs once untimed, to have its data and code in the caches that it can have them in, then `runs` times. The first round
 * warms up. A run does `units` units of work.
 */
export async function interleave(
  candidates: readonly Candidate[],
  { rounds, runs, units }: { rounds: number; runs: number; units: number },
): Promise<Map<string, Timing>> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const { name, run } of candidates) {
      for (let turn = -1; turn < runs; turn++) {
        const start = performance.now();
        const result = run();
        // A candidate that returns at once is not made to wait for a microtask.
        if (result instanceof Promise) await result;
        const time = performance.now() - start;
        if (round >= 0 && turn >= 0) times.get(name)?.push((time * 1e6) / units);
      }
    }
  }
  return new Map(Array.from(times, ([name, values]) => [name, summary(values)]));
}

function summary(times: number[]): Timing {
  const sorted = times.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] as number, min: sorted[0] as number };
}

/** Rows under a header, the first column to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => (typeof cell === "number" ? cell.toFixed(2) : cell)))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number);
  return cells.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}
