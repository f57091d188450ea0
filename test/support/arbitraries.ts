// fast-check's arbitraries for calls of pairLoss: batches of awkward sizes, losses in every combination. A failing property
// prints the recipe, not a thousand numbers.

import fc from "fast-check";
import type { LossType } from "../../src/index.ts";
import type { FloatArray, PairLogps, PairLossOptions } from "../../src/types.ts";
import { mapPairs, randomFrom, randomPairs, wide } from "./pairs.ts";
import { divergences, isLikelihood, isSorted, pairTypes, table, takesDivergence } from "./variants.ts";

export interface Call {
  pairs: PairLogps;
  options: Omit<PairLossOptions, "lossType" | "lossWeights"> & { lossType: LossType[]; lossWeights: number[] };
}

export interface Wishes {
  /** Which losses may occur. Default all. */
  losses?: readonly LossType[];
  /** The most losses in a call. Default 3. */
  most?: number;
  /** Whether the inputs are Float64Arrays. Default either. */
  float64?: boolean;
}

/** Losses of one pair at a time: neither sorted across the batch nor one number for it. */
export const separable = pairTypes.filter((id) => !isSorted(table[id]) && !isLikelihood(table[id]));

/** The losses that sort across the batch. */
export const sorted = pairTypes.filter((id) => isSorted(table[id]));

/** Pairs per piece of the WebAssembly backends: sizes around it cross from one piece to the next. */
const PIECE = 4096;

const sizes = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 1025 }), weight: 3 },
  { arbitrary: fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 1003, 1025), weight: 4 },
  { arbitrary: fc.constantFrom(PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 3), weight: 1 },
);

const recipes = ({ losses = pairTypes, most = 3, float64 }: Wishes) =>
  fc.record({
    count: sizes,
    seed: fc.integer(),
    spread: fc.constantFrom(0.1, 10, 60),
    isWide: float64 === undefined ? fc.boolean() : fc.constant(float64),
    lossType: fc.array(fc.constantFrom(...losses), { minLength: 1, maxLength: most }),
    weights: fc.array(
      fc.integer({ min: -192, max: 192 }).map((k) => k / 64),
      { minLength: 3, maxLength: 3 },
    ),
    beta: fc.constantFrom(0.01, 0.1, 0.5),
    divergence: fc.option(fc.constantFrom(...divergences)),
    hasPairWeights: fc.boolean(),
    isFree: fc.boolean(),
  });

type Recipe = ReturnType<typeof recipes> extends fc.Arbitrary<infer T> ? T : never;

/** The call of a recipe, with everything in it that its losses allow. */
function make({
  count,
  seed,
  spread,
  isWide,
  lossType,
  weights,
  beta,
  divergence,
  hasPairWeights,
  isFree,
}: Recipe): Call {
  const random = randomFrom(seed);
  const definitions = lossType.map((id) => table[id]);
  const ratios = definitions.filter((loss) => !isLikelihood(loss));
  // ORPO takes log-probs as they are: at most 0.
  const pairs = mapPairs(randomPairs(count, seed, spread), (array, name) =>
    name.startsWith("policy") ? (array as FloatArray).map((logp) => Math.min(logp, -0.25)) : array,
  );
  const pairWeights = Float32Array.from({ length: count }, () => Math.round(256 * random() - 64) / 64);
  const isWeighted = hasPairWeights && !definitions.some(isSorted);
  // Scores grow like e^−r: with a free reference they would leave float32 at once.
  const isDiverged = divergence && !isFree && spread < 60 && ratios.length > 0 && ratios.every(takesDivergence);
  return {
    pairs: { ...(isWide ? wide(pairs) : pairs), ...(isWeighted ? { pairWeights } : {}) },
    options: {
      lossType,
      lossWeights: weights.slice(0, lossType.length),
      ...(ratios.length > 0 ? { beta } : {}),
      ...(definitions.some(({ reference }) => reference) ? { referenceFree: isFree } : {}),
      ...(isDiverged ? divergence : {}),
    },
  };
}

/** Checks a property of calls, the same ones every time. */
export async function checkCalls(
  wishes: Wishes,
  property: (call: Call) => void | Promise<void>,
  numRuns = 60,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(recipes(wishes), async (recipe) => property(make(recipe))),
    { numRuns, seed: 20261122 },
  );
}

/** The pairs in float64 with noise in the lowest digits: no two log-ratios or margins are the same. */
export function withoutTies(pairs: PairLogps): PairLogps {
  const random = randomFrom(pairs.policyChosen.length);
  const isLength = (name: string): boolean => name.endsWith("Lengths");
  return mapPairs(wide(pairs), (array, name) =>
    isLength(name) ? array : (array as FloatArray).map((value) => value + 1e-6 * random()),
  );
}
