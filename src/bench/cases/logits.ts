// Log-probabilities of logits, and the gradient of a loss with respect to them.

import { decodeTable, toBf16, toF16 } from "../../inputs/floats.ts";
import type { LogitsInputs } from "../inputs.ts";
import { fillNormal, generator } from "../random.ts";
import type { Problem } from "../types.ts";
import { arrayOf, worstOf, wrong } from "./check.ts";
import { each, type Family, streamed } from "./family.ts";
import { makeTokens, solveSequences } from "./sequences.ts";

type ElementType = LogitsInputs["type"];

const passes = ["forward", "both"] as const;
const widths = { f32: 4, f16: 2, bf16: 2 } as const;

/** Operations a logit and pass: an exponential of 16, a maximum and a sum, or a difference and a factor. */
const FLOPS = 18;

export const logitsFamilies: readonly Family[] = [
  ...each(passes, (pass) =>
    family(
      pass,
      "f32",
      [
        [64, 32_000],
        [16, 128_256],
        [512, 32_000],
      ],
      pass === "both" ? [[64, 32_000]] : [],
    ),
  ),
  family("both", "f16", [[64, 32_000]], []),
  family("both", "bf16", [[64, 32_000]], []),
];

function family(pass: LogitsInputs["pass"], type: ElementType, shapes: number[][], quick: number[][]): Family {
  return {
    name: `logits/${pass}${type === "f32" ? "" : `-${type}`}`,
    group: "logits",
    unit: "logit",
    shape: "rows x vocabulary",
    refuse: ([rows = 0]) => (rows % 2 === 0 ? undefined : "an even number of rows"),
    shapes,
    quick,
    make: ([rows = 0, vocab = 0]) => ({
      units: rows * vocab,
      // The gradient is written where the logits were, or elsewhere.
      work:
        pass === "both"
          ? streamed(rows * vocab, 2 * widths[type], 2 * FLOPS)
          : streamed(rows * vocab, widths[type], FLOPS),
      prepare: () => makeProblem(pass, type, rows, vocab),
    }),
  };
}

/** The log-probs and the gradient in float64. */
interface Solution {
  readonly logps: Float64Array;
  readonly gradient: Float64Array | undefined;
  readonly g: Float64Array;
}

/** Logits of N(0, 2.5). */
export function makeProblem(pass: LogitsInputs["pass"], type: ElementType, rows: number, vocab: number): Problem {
  const random = generator(rows + vocab);
  const tokens = makeTokens(rows, vocab, random);
  const ids = tokens.targets;
  const wide = new Float32Array(rows * vocab);
  fillNormal(wide, 2.5, random);
  const logits = narrow(wide, type);
  const x = widen(logits, type);
  const logps = new Float64Array(rows);
  const gradient = pass === "both" ? new Float64Array(rows * vocab) : undefined;
  for (let r = 0; r < rows; r++) {
    const from = r * vocab;
    let max = -Infinity;
    for (let at = from; at < from + vocab; at++) max = Math.max(max, x[at] as number);
    let sum = 0;
    for (let at = from; at < from + vocab; at++) {
      const e = Math.exp((x[at] as number) - max);
      sum += e;
      if (gradient) gradient[at] = e;
    }
    logps[r] = (x[from + (ids[r] as number)] as number) - max - Math.log(sum);
    if (gradient) for (let at = from; at < from + vocab; at++) gradient[at] = (gradient[at] as number) / sum;
  }
  const gradScale = 4096;
  const { beta, reference, g } = solveSequences(tokens, logps, gradScale, random);
  if (gradient) {
    for (let r = 0; r < rows; r++) {
      const label = r * vocab + (ids[r] as number);
      for (let at = r * vocab; at < (r + 1) * vocab; at++) {
        gradient[at] = (g[r] as number) * ((at === label ? 1 : 0) - (gradient[at] as number));
      }
    }
  }
  const inputs: LogitsInputs = {
    kind: "logits",
    pass,
    rows,
    vocab,
    type,
    logits,
    ids,
    tokens,
    lossType: "sigmoid",
    beta,
    gradScale,
    reference,
    g: Float32Array.from(g),
  };
  return {
    inputs,
    check: (results) => check(inputs, { logps, gradient, g }, results),
  };
}

/** The rounding of a gradient to its type: relative, and half of its smallest step. Float32 may flush near-denormals to 0. */
const rounding = { f32: [0, 2 ** -124], f16: [2 ** -11, 2 ** -25], bf16: [2 ** -8, 2 ** -124] } as const;

/** Libraries sum in float32: log-probs to 1e-3, every entry of the gradient to 2e-3 of itself. */
function check(inputs: LogitsInputs, solution: Solution, results: Parameters<Problem["check"]>[0]) {
  const { rows, vocab, type, ids } = inputs;
  const worst = worstOf("a token's log-prob, absolute", 1e-3);
  const logps = arrayOf(results, "logps", rows);
  solution.logps.forEach((want, r) => {
    worst.add("logps", r, logps[r], want, Math.max(1, Math.abs(want) / 8));
  });
  if (!solution.gradient) return worst.error;
  const gradient = widen(arrayOf(results, "gradient", rows * vocab), type);
  const [relative, absolute] = rounding[type];
  for (let r = 0; r < rows; r++) {
    const label = r * vocab + (ids[r] as number);
    for (let at = r * vocab; at < (r + 1) * vocab; at++) {
      const want = solution.gradient[at] as number;
      // 1 - p loses the digits of a small result, but none of g's.
      const size = Math.abs(at === label ? (solution.g[r] as number) : want);
      const within = (2e-3 + relative) * size + absolute;
      if (Math.abs((gradient[at] as number) - want) <= within) continue;
      throw wrong(`gradient[${at}]`, want, gradient[at]);
    }
  }
  return worst.error;
}

function narrow(logits: Float32Array<ArrayBuffer>, type: ElementType): LogitsInputs["logits"] {
  if (type === "f32") return logits;
  const convert = type === "f16" ? toF16 : toBf16;
  return Uint16Array.from(logits, convert);
}

function widen(data: ArrayLike<number>, type: ElementType): ArrayLike<number> {
  if (type === "f32") return data;
  const table = decodeTable(type);
  return Float32Array.from(data, (bits) => table[bits] as number);
}
