// Log-probabilities from hidden states and a head, and the gradients of a loss with respect to both.

import type { LinearInputs } from "../inputs.ts";
import { fillNormal, generator } from "../random.ts";
import type { Problem } from "../types.ts";
import { each, type Family } from "./family.ts";
import { logSumsOf, makeCheck, targetLogits } from "./linear-check.ts";
import { makeTokens, solveSequences } from "./sequences.ts";

/** One whose head fits into caches, and that of a small model: 1 MB, 113. */
const shapes = [
  [64, 128, 2048],
  [64, 576, 49_152],
];

/** Products of rows × width × vocabulary that a pass needs; one that is computed twice counts once. */
const products = { forward: 1, both: 3 } as const;

export const linearFamilies: readonly Family[] = each(["forward", "both"] as const, (pass) => ({
  name: `linear/${pass}`,
  group: "linear",
  unit: "multiply-add",
  shape: "rows x width x vocabulary",
  refuse: ([rows = 0]) => (rows % 2 === 0 ? undefined : "an even number of rows"),
  shapes,
  quick: pass === "both" ? shapes.slice(0, 1) : [],
  make: ([rows = 0, width = 0, vocab = 0]) => ({
    units: products[pass] * rows * width * vocab,
    work: {
      // Hidden states and head, and the gradients of both.
      bytes: 4 * (rows + vocab) * width * (pass === "both" ? 2 : 1),
      flops: 2 * products[pass] * rows * width * vocab,
      bound: "multiply-add",
    },
    prepare: () => makeProblem(pass, rows, width, vocab),
  }),
}));

/** The products in float64 take seconds, and are those of the other pass too. */
const solved = new Map<string, Float64Array>();

/** Logits of N(0, 2.5). */
export function makeProblem(pass: LinearInputs["pass"], rows: number, width: number, vocab: number): Problem {
  const random = generator(rows + width + vocab);
  const normal = (n: number, deviation: number) => {
    const values = new Float32Array(n);
    fillNormal(values, deviation, random);
    return values;
  };
  const tokens = makeTokens(rows, vocab, random);
  const hidden = normal(rows * width, 1);
  const weight = normal(vocab * width, 2.5 / Math.sqrt(width));
  const head = { rows, width, vocab, hidden, weight, ids: tokens.targets };
  const key = `${rows}x${width}x${vocab}`;
  const logSums = solved.get(key) ?? logSumsOf(head);
  solved.set(key, logSums);
  const logps = targetLogits(head).map((logit, r) => logit - (logSums[r] as number));
  const gradScale = 4096;
  const { beta, reference, g } = solveSequences(tokens, logps, gradScale, random);
  const inputs: LinearInputs = {
    kind: "linear",
    pass,
    ...head,
    tokens,
    lossType: "sigmoid",
    beta,
    gradScale,
    reference,
    g: Float32Array.from(g),
  };
  return { inputs, check: makeCheck(inputs, { logps, logSums, g }) };
}
