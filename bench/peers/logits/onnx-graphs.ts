// The graphs that both ONNX Runtimes run. Forms were chosen by measurement; README.md tells what was tried.

import { encodeModel, type Graph, type Node } from "../onnx.ts";

type Pass = "forward" | "backward" | "both";

const axis = { axis: 1 };
const logSoftmax = [
  node("LogSoftmax", ["logits"], "logSoftmax", axis),
  node("GatherElements", ["logSoftmax", "ids"], "logps", axis),
];
const softmax = [node("Softmax", ["logits"], "p", axis)];
const atLabel = [node("GatherElements", ["p", "ids"], "pLabel", axis)];
const log = [node("Log", ["pLabel"], "logps")];
/** -g·(p - onehot): the label's entry is replaced before the product, so that nothing of the logits' size is made for it. */
const gradient = [
  node("Sub", ["pLabel", "one"], "rest"),
  node("ScatterElements", ["p", "ids", "rest"], "difference", axis),
  node("Neg", ["g"], "factor"),
  node("Mul", ["difference", "factor"], "gradient"),
];

/** By form: log-softmax as one writes it, or the logarithm of a softmax, which is -Infinity below -87. */
const forms: Record<string, Record<Pass, Node[]>> = {
  "log-softmax": {
    forward: logSoftmax,
    backward: [...softmax, ...atLabel, ...gradient],
    both: [...logSoftmax, ...softmax, ...atLabel, ...gradient],
  },
  "log of softmax": {
    forward: [...softmax, ...atLabel, ...log],
    backward: [...softmax, ...atLabel, ...gradient],
    both: [...softmax, ...atLabel, ...log, ...gradient],
  },
};

export const formNames = Object.keys(forms);

/** The graph of one pass, over inputs `logits`, `ids` and, except forward, `g`. */
export function model(form: string, pass: Pass, rows: number, vocab: number): Uint8Array {
  const forward = pass === "forward";
  const graph: Graph = {
    nodes: forms[form]?.[pass] as Node[],
    inputs: { logits: [rows, vocab], ids: [rows, 1], ...(!forward && { g: [rows, 1] }) },
    ids: ["ids"],
    outputs: {
      ...(pass !== "backward" && { logps: [rows, 1] }),
      ...(!forward && { gradient: [rows, vocab] }),
    },
    constants: forward ? {} : { one: 1 },
  };
  return encodeModel(graph);
}

function node(op: string, inputs: string[], output: string, attributes: Record<string, number> = {}): Node {
  return { op, inputs, output, attributes };
}
