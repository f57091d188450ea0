import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
// For its side effect: it registers the gradients of the operators, which tfjs-core keeps to itself under Node.
import "@tensorflow/tfjs-layers";
import type { Answer, Input, Library } from "./peer.ts";

/** The SIMD module, one thread: under Node it has no other. */
export async function create({ rows, vocab, logits, ids, g }: Input): Promise<Library> {
  setWasmPaths(fileURLToPath(new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"))));
  await tf.setBackend("wasm");
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("tfjs-wasm: no SIMD here");
  const flat = ids.map((id, r) => r * vocab + id);
  const places = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i / 2 : (ids[(i - 1) / 2] as number)));
  const minusG = g.map((value) => -value);

  const input = () => tf.tensor2d(logits, [rows, vocab]);
  const atLabels = (x: tf.Tensor) => tf.gather(tf.reshape(x, [-1]), tf.tensor1d(flat, "int32"));
  const answer = (make: () => { logps: tf.Tensor; gradient?: tf.Tensor }): Answer => {
    const tensors = tf.tidy(make);
    const logps = tensors.logps.dataSync<"float32">();
    const gradient = tensors.gradient?.dataSync<"float32">();
    tf.dispose(tensors);
    return { logps, gradient };
  };

  // A gather has no gradient on this backend (the kernel UnsortedSegmentSum is missing), so the label is chosen by a product.
  const logpsOf = (x: tf.Tensor) => {
    const oneHot = tf.oneHot(tf.tensor1d(ids, "int32"), vocab);
    return tf.sum(tf.mul(tf.logSoftmax(x as tf.Tensor2D), oneHot), 1);
  };
  const valueAndGrad = tf.valueAndGrad(logpsOf);
  const autograd = {
    name: "tfjs-wasm, autograd",
    // Not logSoftmax: that takes 15 % more, the product with one-hot rows twice as much.
    forward: () =>
      answer(() => {
        const x = input();
        return { logps: tf.sub(atLabels(x), tf.logSumExp(x, 1)) };
      }),
    both: () =>
      answer(() => {
        const { value, grad } = valueAndGrad(input(), tf.tensor1d(g));
        return { logps: value, gradient: grad };
      }),
  };

  // Its softmax is one fast kernel; what is -Infinity below -87 is the price.
  const byHand = {
    name: "tfjs-wasm, log of softmax by hand",
    forward: () => answer(() => ({ logps: tf.log(atLabels(tf.softmax(input()))) })),
    both: () =>
      answer(() => {
        const p = tf.softmax(input());
        const scaled = tf.mul(p, tf.tensor2d(minusG, [rows, 1]));
        const rest = tf.add(atLabels(scaled), tf.tensor1d(g));
        const gradient = tf.tensorScatterUpdate(scaled, tf.tensor2d(places, [rows, 2], "int32"), rest);
        return { logps: tf.log(atLabels(p)), gradient };
      }),
  };
  return { peers: [autograd, byHand] };
}
