import type { InferenceSession, Tensor } from "onnxruntime-web";
import { encodeModel, type Node } from "../onnx.ts";
import type { Input, Peer } from "./peer.ts";

const axis = { axis: 1 };
const forward = [
  node("Gemm", ["hidden", "weight"], "logits", { transB: 1 }),
  node("LogSoftmax", ["logits"], "logSoftmax", axis),
  node("GatherElements", ["logSoftmax", "ids"], "logps", axis),
];
/** -g·(p - onehot): the label's entry is replaced before the product, so that nothing of the logits' size is made for it. */
const backward = [
  node("Softmax", ["logits"], "p", axis),
  node("GatherElements", ["p", "ids"], "pLabel", axis),
  node("Sub", ["pLabel", "one"], "rest"),
  node("ScatterElements", ["p", "ids", "rest"], "difference", axis),
  node("Neg", ["g"], "factor"),
  node("Mul", ["difference", "factor"], "gradient"),
  node("Gemm", ["gradient", "weight"], "gradHidden"),
  node("Gemm", ["gradient", "hidden"], "gradWeight", { transA: 1 }),
];

/** Graphs of fixed shape on the `wasm` execution provider: SIMD, one thread. */
export async function create({ shape, hidden, weight, ids, g }: Input): Promise<Peer> {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = 1;
  const { rows, width, vocab } = shape;
  const shapes = { hidden: [rows, width], weight: [vocab, width], ids: [rows, 1] };
  const tensors: Record<string, Tensor> = {
    hidden: new ort.Tensor("float32", hidden, shapes.hidden),
    weight: new ort.Tensor("float32", weight, shapes.weight),
    ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), shapes.ids),
    g: new ort.Tensor("float32", g, [rows, 1]),
  };
  const sessions: InferenceSession[] = [];
  const make = async (isBoth: boolean) => {
    const model = encodeModel({
      nodes: isBoth ? [...forward, ...backward] : forward,
      inputs: { ...shapes, ...(isBoth && { g: [rows, 1] }) },
      ids: ["ids"],
      outputs: { logps: [rows, 1], ...(isBoth && { gradHidden: shapes.hidden, gradWeight: shapes.weight }) },
      constants: isBoth ? { one: 1 } : {},
    });
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
    });
    sessions.push(session);
    const feeds = Object.fromEntries(session.inputNames.map((name) => [name, tensors[name] as Tensor]));
    return async () => {
      const results = await session.run(feeds);
      const data = (name: string) => results[name]?.data as Float32Array;
      return { logps: data("logps"), gradHidden: data("gradHidden"), gradWeight: data("gradWeight") };
    };
  };
  const peer = { name: "onnxruntime-web", forward: await make(false), both: await make(true) };
  // It leaves a global Worker behind under Node, from which jax-js concludes that it has threads, and fails.
  Reflect.deleteProperty(globalThis, "Worker");
  return { ...peer, close: () => Promise.all(sessions.map((session) => session.release())) };
}

function node(op: string, inputs: string[], output: string, attributes: Record<string, number> = {}): Node {
  return { op, inputs, output, attributes };
}
