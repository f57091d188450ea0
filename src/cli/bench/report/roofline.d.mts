/** What a candidate reaches in a case: operations a byte, and billions of them a second. */
export interface RooflinePoint {
  readonly case: string;
  readonly label: string;
  readonly ours: boolean;
  readonly intensity: number;
  readonly rate: number;
}

/** The machine's limits: GB/s, and the GFLOP/s of each module, under its name. */
export interface Limits {
  readonly bandwidth: number;
  readonly roofs: readonly { name: string; peak: number }[];
}

/** Candidates under the roof of the machine's limits; ours filled. */
export function rooflinePlot(points: readonly RooflinePoint[], names: readonly string[], limits: Limits): string;

/** Ascending numbers, `apart` from one another at least, and otherwise where they were. */
export function movedApart(numbers: readonly number[], apart: number): number[];
