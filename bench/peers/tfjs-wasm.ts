import { fileURLToPath } from "node:url";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import type { Peer } from "./peer.ts";

/** How softplus(x) is written: the operator of that name, or the faster `relu(x) - log(sigmoid(|x|))`, as stable. */
const softplus = {
  Softplus: (x: tf.Tensor) => tf.softplus(x),
  composed: (x: tf.Tensor) => tf.sub(tf.relu(x), tf.log(tf.sigmoid(tf.abs(x)))),
};

export type Form = keyof typeof softplus;

/** Closed form, no autograd (that takes twice as long); the SIMD module, one thread: under Node it has no other. */
export async function create(pairs: number, beta: number, form: Form): Promise<Peer> {
  setWasmPaths(fileURLToPath(new URL(".", import.meta.resolve("@tensorflow/tfjs-backend-wasm"))));
  await tf.setBackend("wasm");
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT"))) throw new Error("tfjs-wasm: no SIMD here");
  return {
    name: `tfjs-wasm, ${form}`,
    run({ policyChosen, policyRejected, referenceChosen, referenceRejected }) {
      const results = tf.tidy(() => {
        const chosen = tf.sub(tf.tensor1d(policyChosen), tf.tensor1d(referenceChosen));
        const rejected = tf.sub(tf.tensor1d(policyRejected), tf.tensor1d(referenceRejected));
        const x = tf.mul(tf.sub(rejected, chosen), beta);
        const losses = softplus[form](x);
        const gradChosen = tf.mul(tf.sigmoid(x), -beta / pairs);
        return { loss: tf.mean(losses), losses, gradChosen, gradRejected: tf.neg(gradChosen) };
      });
      const read = (name: keyof typeof results) => results[name].dataSync<"float32">();
      const arrays = { losses: read("losses"), gradChosen: read("gradChosen"), gradRejected: read("gradRejected") };
      const loss = read("loss")[0] as number;
      tf.dispose(results);
      return { loss, ...arrays };
    },
  };
}
