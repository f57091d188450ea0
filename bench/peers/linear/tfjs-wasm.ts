import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { Input, Peer } from "./peer.ts";

/** The SIMD module, one thread; by hand, with transposes of their own: its products of transposed matrices are slow. */
export async function create({ shape, hidden, weight, ids, g }: Input): Promise<Peer> {
  setWasmPaths(fileURLToPath(new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"))));
  await tf.setBackend("wasm");
  const { rows, width, vocab } = shape;
  const flat = ids.map((id, r) => r * vocab + id);
  const places = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i / 2 : (ids[(i - 1) / 2] as number)));
  const minusG = g.map((value) => -value);
  const atLabels = (x: tf.Tensor) => tf.gather(tf.reshape(x, [-1]), tf.tensor1d(flat, "int32"));
  const operands = () => [tf.tensor2d(hidden, [rows, width]), tf.tensor2d(weight, [vocab, width])] as const;
  const answer = (make: () => Record<string, tf.Tensor>) => {
    const tensors = tf.tidy(make);
    const { logps, gradHidden, gradWeight } = Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync<"float32">()]),
    );
    tf.dispose(tensors);
    return { logps: logps as Float32Array, gradHidden, gradWeight };
  };
  return {
    name: "tfjs-wasm",
    forward: () =>
      answer(() => {
        const [h, w] = operands();
        const x = tf.matMul(h, tf.transpose(w));
        return { logps: tf.sub(atLabels(x), tf.logSumExp(x, 1)) };
      }),
    both: () =>
      answer(() => {
        const [h, w] = operands();
        const x = tf.matMul(h, tf.transpose(w));
        const scaled = tf.mul(tf.softmax(x), tf.tensor2d(minusG, [rows, 1]));
        const rest = tf.add(atLabels(scaled), tf.tensor1d(g));
        const d = tf.tensorScatterUpdate(scaled, tf.tensor2d(places, [rows, 2], "int32"), rest) as tf.Tensor2D;
        return {
          logps: tf.sub(atLabels(x), tf.logSumExp(x, 1)),
          gradHidden: tf.matMul(d, w),
          gradWeight: tf.matMul(tf.transpose(d), h),
        };
      }),
  };
}
