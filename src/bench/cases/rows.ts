// Losses of single rows from sequence log-probabilities.

import type { RowsInputs } from "../inputs.ts";
import { filled, generator } from "../random.ts";
import type { Problem } from "../types.ts";
import { arrayOf, worstOf } from "./check.ts";
import { type Family, streamed } from "./family.ts";

const BETA = 0.1;

export const rowFamilies: readonly Family[] = [
  {
    name: "rows/kto",
    group: "rows",
    unit: "row",
    shape: "rows",
    shapes: [[1024], [1_000_000]],
    quick: [],
    // Two log-probs and a label, of mismatched rows two more; a loss and a gradient. An exponential, and 14 operations beside it.
    make: ([n = 0]) => ({ units: n, work: streamed(n, 25, 36), prepare: () => makeProblem(n) }),
  },
];

function makeProblem(n: number): Problem {
  const random = generator(3);
  const fill = (value: (i: number) => number) => filled(n, value);
  const near = (to: Float32Array) => fill((i) => (to[i] as number) + 20 * (random() + random() - 0.9));
  const [reference, klReference] = [fill(() => -50 - 300 * random()), fill(() => -50 - 300 * random())];
  const desirable = Uint8Array.from({ length: n }, (_, i) => Number(i % 3 > 0));
  const rows = { policy: near(reference), reference, desirable, klPolicy: near(klReference), klReference };
  const inputs: RowsInputs = {
    kind: "rows",
    lossType: "kto",
    beta: BETA,
    rows,
  };
  return { inputs, check: (results) => check(inputs, n, results) };
}

/** One minus the probability that the row is on its side of the mean over mismatched rows, which is no variable of the gradient. */
function check({ beta, rows }: RowsInputs, n: number, results: Parameters<Problem["check"]>[0]) {
  const [losses, grad] = ["losses", "grad"].map((name) => arrayOf(results, name, n));
  const { policy, reference, desirable, klPolicy, klReference } = rows;
  const ratio = (a: Float32Array, b: Float32Array, i: number) => (a[i] as number) - (b[i] as number);
  let apart = 0;
  for (let i = 0; i < n; i++) apart += ratio(klPolicy, klReference, i);
  const kl = Math.max(0, apart / n);
  const worst = worstOf("a loss or a gradient, relative to its scale", 1e-5);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const sign = desirable[i] ? 1 : -1;
    const p = 1 / (1 + Math.exp(-sign * beta * (ratio(policy, reference, i) - kl)));
    sum += 1 - p;
    worst.add("losses", i, losses?.[i], 1 - p, 1);
    worst.add("grad", i, grad?.[i], (-sign * beta * p * (1 - p)) / n, beta / n);
  }
  worstOf("", 1e-4).add("loss", undefined, results["loss"] as number, sum / n, sum / n);
  return worst.error;
}
