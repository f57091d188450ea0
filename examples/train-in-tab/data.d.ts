export const vocabulary: readonly string[];
export const hiddenSize: number;
export const dataSets: Readonly<Record<"kind" | "short" | "calm", { readonly title: string }>>;

/** So many pairs of a data set as token lists. */
export function examplesOf(
  name: keyof typeof dataSets,
  count: number,
  seed?: number,
): { prompt: number[]; chosen: number[]; rejected: number[] }[];

/** The head to begin with, and the frozen model before it. */
export function makeModel(seed?: number): {
  head: { weight: Float32Array<ArrayBuffer>; vocab: number; hiddenSize: number };
  backbone(batch: { rows: number; length: number; inputIds: Int32Array }): Float32Array;
};
