// The graphs that both ONNX Runtimes run: for each kind of case the fastest form found of those that are as stable as ours.
// Tried and slower: ReduceLogSumExp, Exp of the log-softmax (on the web), one-hot rows by Equal, ScatterElements with add. Log of a
// softmax is faster on the web, but -Infinity where a log-prob lies below -87.

import type { LinearInputs, LogitsInputs, PairsInputs, RowsInputs } from "../../inputs.ts";
import type { Graph, Node } from "./encode.ts";

const node = (op: string, inputs: string[], output: string, attributes: Record<string, number> = {}): Node => ({
  op,
  inputs,
  output,
  attributes,
});

/** softplus(x) = max(x, 0) - log σ(|x|): the operator Softplus runs one number at a time, while Sigmoid is SIMD. */
const softplus = [
  node("Relu", ["x"], "positive"),
  node("Abs", ["x"], "absolute"),
  node("Sigmoid", ["absolute"], "probability"),
  node("Log", ["probability"], "log"),
  node("Sub", ["positive", "log"], "losses"),
];

/** The sigmoid loss. */
export function pairsGraph({ pairs: arrays, beta }: PairsInputs): Graph {
  const pairs = arrays.policyChosen.length;
  const names = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"];
  return {
    inputs: Object.fromEntries(names.map((name) => [name, [pairs]])),
    constants: { beta, scale: -beta / pairs },
    nodes: [
      node("Sub", ["policyChosen", "referenceChosen"], "chosen"),
      node("Sub", ["policyRejected", "referenceRejected"], "rejected"),
      node("Sub", ["rejected", "chosen"], "margin"),
      node("Mul", ["margin", "beta"], "x"),
      ...softplus,
      node("Sigmoid", ["x"], "slope"),
      node("Mul", ["slope", "scale"], "gradChosen"),
      node("Neg", ["gradChosen"], "gradRejected"),
      node("ReduceMean", ["losses"], "loss"),
    ],
    outputs: { loss: [1], losses: [pairs], gradChosen: [pairs], gradRejected: [pairs] },
  };
}

/** KTO; `signed` is β for a row to unlearn, -β for one to learn. */
export function rowsGraph({ rows: { policy } }: RowsInputs): Graph {
  const rows = policy.length;
  const names = ["policy", "reference", "signed", "klPolicy", "klReference"];
  return {
    inputs: Object.fromEntries(names.map((name) => [name, [rows]])),
    constants: { one: 1, n: rows },
    nodes: [
      node("Sub", ["klPolicy", "klReference"], "klRatio"),
      node("ReduceMean", ["klRatio"], "apart"),
      node("Relu", ["apart"], "kl"),
      node("Sub", ["policy", "reference"], "ratio"),
      node("Sub", ["ratio", "kl"], "above"),
      node("Mul", ["above", "signed"], "x"),
      node("Sigmoid", ["x"], "losses"),
      node("Sub", ["one", "losses"], "rest"),
      node("Mul", ["losses", "rest"], "slope"),
      node("Mul", ["slope", "signed"], "perRow"),
      node("Div", ["perRow", "n"], "grad"),
      node("ReduceMean", ["losses"], "loss"),
    ],
    outputs: { loss: [1], losses: [rows], grad: [rows] },
  };
}

const axis = { axis: 1 };
const logSoftmax = [
  node("LogSoftmax", ["logits"], "logSoftmax", axis),
  node("GatherElements", ["logSoftmax", "ids"], "logps", axis),
];
/** -g·(p - onehot): the label's entry is replaced before the product, so that nothing of the logits' size is made for it. */
const gradient = [
  node("Softmax", ["logits"], "p", axis),
  node("GatherElements", ["p", "ids"], "pLabel", axis),
  node("Sub", ["pLabel", "one"], "rest"),
  node("ScatterElements", ["p", "ids", "rest"], "difference", axis),
  node("Neg", ["g"], "factor"),
  node("Mul", ["difference", "factor"], "gradient"),
];

export function logitsGraph({ pass, rows, vocab }: LogitsInputs): Graph {
  const both = pass === "both";
  return {
    nodes: both ? [...logSoftmax, ...gradient] : logSoftmax,
    inputs: { logits: [rows, vocab], ids: [rows, 1], ...(both && { g: [rows, 1] }) },
    ids: ["ids"],
    outputs: { logps: [rows, 1], ...(both && { gradient: [rows, vocab] }) },
    constants: both ? { one: 1 } : {},
  };
}

export function linearGraph({ pass, rows, width, vocab }: LinearInputs): Graph {
  const both = pass === "both";
  const shapes = { hidden: [rows, width], weight: [vocab, width] };
  const products = [
    node("Gemm", ["gradient", "weight"], "gradHidden"),
    node("Gemm", ["gradient", "hidden"], "gradWeight", { transA: 1 }),
  ];
  return {
    nodes: [
      node("Gemm", ["hidden", "weight"], "logits", { transB: 1 }),
      ...logSoftmax,
      ...(both ? [...gradient, ...products] : []),
    ],
    inputs: { ...shapes, ids: [rows, 1], ...(both && { g: [rows, 1] }) },
    ids: ["ids"],
    outputs: { logps: [rows, 1], ...(both && { gradHidden: shapes.hidden, gradWeight: shapes.weight }) },
    constants: both ? { one: 1 } : {},
  };
}
