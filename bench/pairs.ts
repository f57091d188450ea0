// The inputs of the benchmark, and the expected results in float64.

import type { Pairs, Results } from "./peers/peer.ts";
import { generator } from "./random.ts";

/**
 * B pairs in arrays made by `allocate`: reference log-probabilities between -350 and -50, the policy's within 20 of them, so
 * that margins have both signs. The margins of the first two pairs exceed ±1000, where an unstable formula overflows.
 */
export function makePairs(n: number, make: (n: number) => Float32Array): Pairs {
  const random = generator(1);
  const fill = (value: (i: number) => number) => {
    const array = make(n);
    for (let i = 0; i < n; i++) array[i] = value(i);
    return array;
  };
  const near = (reference: Float32Array) => fill((i) => (reference[i] as number) + 20 * (random() + random() - 1));
  const referenceChosen = fill(() => -50 - 300 * random());
  const referenceRejected = fill(() => -50 - 300 * random());
  const policyChosen = near(referenceChosen);
  const policyRejected = near(referenceRejected);
  policyChosen[0] = -1500;
  policyRejected[1] = -1500;
  return { policyChosen, policyRejected, referenceChosen, referenceRejected };
}

/**
 * Throws unless every loss and gradient agrees with the float64 formula to 1e-5 of its scale, and the mean to 1e-4, since some
 * peers compute it as one running sum in float32.
 */
export function check(name: string, pairs: Pairs, beta: number, got: Results): void {
  const n = pairs.policyChosen.length;
  const compare = (what: string, value: number | undefined, want: number, tolerance: number) => {
    if (value !== undefined && Math.abs(value - want) <= tolerance) return;
    throw new Error(`${name}: ${what}: expected ${want}, got ${value}`);
  };
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const at = (array: keyof Pairs) => pairs[array][i] as number;
    const chosen = at("policyChosen") - at("referenceChosen");
    const rejected = at("policyRejected") - at("referenceRejected");
    const z = beta * (chosen - rejected);
    const loss = Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
    const slope = beta / n / (1 + Math.exp(z));
    sum += loss;
    compare(`losses[${i}]`, got.losses[i], loss, 1e-5 * Math.max(1, loss));
    compare(`gradChosen[${i}]`, got.gradChosen[i], -slope, (1e-5 * beta) / n);
    compare(`gradRejected[${i}]`, got.gradRejected[i], slope, (1e-5 * beta) / n);
  }
  compare("loss", got.loss, sum / n, (1e-4 * sum) / n);
}
