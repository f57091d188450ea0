import * as ort from "onnxruntime-web";
import { encodeModel, type Node } from "./onnx.ts";
import type { Peer } from "./peer.ts";

/** How softplus(x) is written: the operator of that name, or `Relu(x) - Log(Sigmoid(|x|))`, as stable and far faster. */
const softplus = {
  Softplus: [node("Softplus", ["x"], "losses")],
  composed: [
    node("Relu", ["x"], "positive"),
    node("Abs", ["x"], "absolute"),
    node("Sigmoid", ["absolute"], "probability"),
    node("Log", ["probability"], "log"),
    node("Sub", ["positive", "log"], "losses"),
  ],
} satisfies Record<string, Node[]>;

export type Form = keyof typeof softplus;

const names = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"] as const;

/** One graph of fixed shape, on the wasm execution provider: SIMD, one thread. Input tensors wrap the caller's arrays. */
export async function create(pairs: number, beta: number, form: Form): Promise<Peer> {
  ort.env.wasm.numThreads = 1;
  const model = encodeModel({
    inputs: Object.fromEntries(names.map((name) => [name, [pairs]])),
    constants: { beta, scale: -beta / pairs },
    nodes: [
      node("Sub", ["policyChosen", "referenceChosen"], "chosen"),
      node("Sub", ["policyRejected", "referenceRejected"], "rejected"),
      node("Sub", ["rejected", "chosen"], "margin"),
      node("Mul", ["margin", "beta"], "x"),
      ...softplus[form],
      node("Sigmoid", ["x"], "slope"),
      node("Mul", ["slope", "scale"], "gradChosen"),
      node("Neg", ["gradChosen"], "gradRejected"),
      node("ReduceMean", ["losses"], "loss"),
    ],
    outputs: { loss: [1], losses: [pairs], gradChosen: [pairs], gradRejected: [pairs] },
  });
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  return {
    name: `onnxruntime-web, ${form}`,
    async run(inputs) {
      const feeds = Object.fromEntries(names.map((name) => [name, new ort.Tensor("float32", inputs[name], [pairs])]));
      const results = await session.run(feeds);
      const floats = (name: string) => results[name]?.data as Float32Array;
      return {
        loss: floats("loss")[0] as number,
        losses: floats("losses"),
        gradChosen: floats("gradChosen"),
        gradRejected: floats("gradRejected"),
      };
    },
  };
}

function node(op: string, inputs: string[], output: string): Node {
  return { op, inputs, output };
}
