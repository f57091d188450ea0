// The options of pairLoss that are refused. Ranges of hyperparameters and options that a loss does not use: losses.test.ts.

import { lossTypes } from "../../src/index.ts";
import { lossTable } from "../../src/losses/index.ts";
import type { Refusal } from "./refusals.ts";

const param = { error: "ParamError" } as const;
const kind = { error: "KindError", code: "wrong-kind" } as const;

const unknown: Refusal[] = [
  ["lossTypes", { lossTypes: "ipo" }],
  ["labelSmothing", { labelSmothing: 0.1 }],
  ["label_smoothing", { label_smoothing: 0.1 }],
  ["toString", { toString: 1 }],
  ["__proto__", JSON.parse('{ "__proto__": 1 }')],
].map(([what, options]) => ({
  what: `the unknown option ${what}`,
  options,
  ...param,
  code: "unknown-option" as const,
  message: new RegExp(
    `^${what}: not an option; known: lossType, lossWeights, beta, .*transfer(, \\w+)*(; did you mean .*)?$`,
  ),
}));

const unknownLosses: Refusal[] = [
  ["Sigmoid", '; did you mean "sigmoid"?'],
  ["dpo", '; did you mean "sigmoid"?'],
  ["", ""],
  ["toString", ""],
  ["__proto__", ""],
  ["constructor", ""],
].map(([name = "", hint = ""]) => ({
  what: `the unknown loss ${JSON.stringify(name)}`,
  options: { lossType: ["sigmoid", name] },
  ...param,
  code: "unknown-loss" as const,
  message: new RegExp(`^lossType: expected one of ${lossTypes.join(", ")}, got "${name}"${hint.replace("?", "\\?")}$`),
}));

const lossesOfRows: Refusal[] = lossTypes
  .filter((id) => lossTable[id].unit === "row")
  .map((id) => ({
    what: `${id}, a loss of rows`,
    options: { lossType: ["sigmoid", id] },
    ...param,
    code: "unknown-loss" as const,
    message: new RegExp(
      `^lossType: expected one of sigmoid, .*, got "${id}": it is a loss of single rows, for unpairedLoss`,
    ),
  }));

const wrongKinds: Refusal[] = (
  [
    [null, /^options: expected an object, got null$/],
    [3, /^options: expected an object, got a number$/],
    [{ lossType: null }, /^lossType: expected a name or a loss, got null$/],
    [{ lossType: 3 }, /^lossType: expected a name or a loss, got a number$/],
    [{ lossType: ["ipo", null] }, /^lossType: expected a name or a loss, got null$/],
    [{ lossType: { id: "x" } }, /^lossType: expected a name or a loss, got an object$/],
    [{ lossWeights: 2 }, /^lossWeights: expected a list of numbers, got a number$/],
    [{ lossWeights: null }, /^lossWeights: expected a list of numbers, got null$/],
    [{ lossWeights: ["1"] }, /^lossWeights\[0\]: expected a number, got a string$/],
    [{ beta: "0.1" }, /^beta: expected a number, got a string$/],
    [{ beta: null }, /^beta: expected a number, got null$/],
    [{ beta: 1n }, /^beta: expected a number, got a bigint$/],
    [{ lossType: "bco_pair", rewardShift: {} }, /^rewardShift: expected a number.*, got an object$/],
    [{ fDivergence: "alpha_divergence", fAlpha: "0.5" }, /^fAlpha: expected a number, got a string$/],
    [
      { fDivergence: "js_divergence", lossType: "ipo", fConstants: 0 },
      /^fConstants: expected true or false, got a number$/,
    ],
    [{ referenceFree: 1 }, /^referenceFree: expected true or false, got a number$/],
    [{ gradScale: "2" }, /^gradScale: expected a number, got a string$/],
    [{ onProgress: "yes" }, /^onProgress: expected a function, got a string$/],
  ] as const
).map(([options, message]) => ({ what: `options ${text(options)}`, options, ...kind, message }));

const outOfRange: Refusal[] = (
  [
    [{ lossType: [] }, /^lossType: expected .*, got an empty list$/],
    [{ lossWeights: [1, 2] }, /^lossWeights: expected .*1.*, got 2$/],
    [{ lossType: ["ipo", "sft"], lossWeights: [1] }, /^lossWeights: expected .*2.*, got 1$/],
    [
      { lossType: ["ipo", "sft"], lossWeights: [1, Number.NaN] },
      /^lossWeights\[1\]: expected a finite number, got NaN$/,
    ],
    [{ lossWeights: [Infinity] }, /^lossWeights\[0\]: expected a finite number, got Infinity$/],
    [{ beta: 0 }, /^beta: expected a number in \(0, ∞\) \(sigmoid\), got 0$/],
    [{ beta: -0.1 }, /^beta: expected a number in \(0, ∞\) \(sigmoid\), got -0.1$/],
    [{ beta: Number.NaN }, /^beta: expected a number in \(0, ∞\) \(sigmoid\), got NaN$/],
    [{ beta: Infinity }, /^beta: expected a number in \(0, ∞\) \(sigmoid\), got Infinity$/],
    [{ labelSmoothing: 0.51 }, /^labelSmoothing: expected a number in \[0, 0.5\] \(sigmoid\), got 0.51$/],
    [{ lossType: "robust", labelSmoothing: 0.5 }, /^labelSmoothing: .* \[0, 0.5\) \(robust\), got 0.5$/],
    [{ lossType: "exo_pair", labelSmoothing: 0 }, /^labelSmoothing: .* \(0, 0.5\) \(exo_pair\), got 0$/],
    [{ lossType: ["sigmoid", "robust"], labelSmoothing: 0.5 }, /\(robust\), got 0.5$/],
    [{ lossType: "discopop", discopopTau: 0 }, /^discopopTau: expected a number in \(0, ∞\) \(discopop\), got 0$/],
    [{ lossType: "bco_pair", rewardShift: Number.NaN }, /^rewardShift: expected a number in \(−∞, ∞\) .*, got NaN$/],
    [
      { fDivergence: "kl" },
      /^fDivergence: expected one of reverse_kl, forward_kl, .*, got "kl"; did you mean "reverse_kl"\?$/,
    ],
    [{ fDivergence: null }, /^fDivergence: expected one of .*, got null$/],
    [{ fDivergence: "alpha_divergence", fAlpha: Infinity }, /^fAlpha: expected a finite number, got Infinity$/],
    [{ gradScale: Number.NaN }, /^gradScale: expected a finite number, got NaN$/],
    [{ metrics: "all" }, /^metrics: expected basic or full, got "all"$/],
    [{ validate: true }, /^validate: expected ids or finite, got true$/],
    [{ gradType: "f64" }, /^gradType: expected same or f32, got "f64"$/],
  ] as const
).map(([options, message]) => ({
  what: `options ${text(options)}`,
  options,
  ...param,
  code: "out-of-range" as const,
  message,
}));

const takers = "used by sigmoid, sigmoid_norm, hinge, ipo, exo_pair, robust, discopop";
const unused: Refusal[] = (
  [
    ...["nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "sft"].map(
      (lossType) =>
        [
          { lossType, fDivergence: "js_divergence" },
          new RegExp(`^fDivergence: js_divergence has no meaning for ${lossType} \\(${takers}\\)$`),
        ] as const,
    ),
    [{ lossType: ["sigmoid", "apo_zero"], fDivergence: "forward_kl" }, /^fDivergence: forward_kl .* for apo_zero \(/],
    [{ fConstants: false, lossType: "ipo" }, /^fConstants: not used by reverse_kl, which has none$/],
    [
      { fConstants: false, fDivergence: "js_divergence", lossType: ["sigmoid", "hinge"] },
      /^fConstants: not used by sigmoid, hinge \(used by sigmoid_norm, ipo\)$/,
    ],
    [{ fAlpha: 0.3 }, /^fAlpha: not used by reverse_kl \(used by alpha_divergence\)$/],
    [{ fDivergence: "js_divergence", fAlpha: 2 }, /^fAlpha: not used by js_divergence \(used by alpha_divergence\)$/],
    [
      { labelSmoothing: 0.1, lossType: ["ipo", "hinge"] },
      /^labelSmoothing: not used by ipo, hinge \(used by sigmoid, /,
    ],
    [{ ldAlpha: 0.5 }, /^ldAlpha: not used by pairLoss, which sees no tokens$/],
    [{ weighting: "wpo" }, /^weighting: not used by pairLoss, which sees no tokens$/],
    [{ inPlace: true }, /^inPlace: not used by pairLoss, which sees no tokens$/],
    [{ accumulate: true }, /^accumulate: not used by pairLoss, which sees no tokens$/],
  ] as const
).map(([options, message]) => ({
  what: `options ${text(options)}`,
  options,
  ...param,
  code: "unused-option" as const,
  message,
}));

/** Options that are refused. */
export const optionRefusals: readonly Refusal[] = [
  ...unknown,
  ...unknownLosses,
  ...lossesOfRows,
  ...wrongKinds,
  ...outOfRange,
  ...unused,
];

// As in source text; JSON has neither NaN nor bigints.
function text(options: unknown): string {
  return JSON.stringify(options, (_key, value) =>
    typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value)) ? String(value) : value,
  );
}
