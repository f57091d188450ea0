import { defaultDevice, init, type Array as JaxArray, jit, nn, numpy as np } from "@jax-js/jax";
import type { Input, Peer } from "./peer.ts";

/** Compiled functions on the `wasm` device; the gradient of the logits written out, since takes are not differentiated. */
export async function create({ shape, hidden, weight, ids, g }: Input): Promise<Peer> {
  await init("wasm");
  defaultDevice("wasm");
  const { rows, width, vocab } = shape;
  const states = () => np.array(hidden, { shape: [rows, width] });
  const head = () => np.array(weight, { shape: [vocab, width] });
  const labels = () => np.array(ids, { shape: [rows, 1] });
  const slopes = () => np.array(g, { shape: [rows, 1] });
  const atLabels = (x: JaxArray, id: JaxArray) => np.takeAlongAxis(x, id, 1).reshape([rows]);

  const forward = jit((h: JaxArray, w: JaxArray, id: JaxArray) => {
    const x = np.matmul(h, np.transpose(w));
    return atLabels(x.ref, id).sub(nn.logsumexp(x, 1));
  });
  const both = jit((h: JaxArray, w: JaxArray, id: JaxArray, slope: JaxArray): [JaxArray, JaxArray, JaxArray] => {
    const x = np.matmul(h.ref, np.transpose(w.ref));
    const sums = nn.logsumexp(x.ref, 1);
    const p = np.exp(x.ref.sub(sums.ref.reshape([rows, 1])));
    const isLabel = np.equal(np.arange(vocab), id.ref);
    const d = np.where(isLabel, slope.ref, 0).sub(p.mul(slope));
    return [atLabels(x, id).sub(sums), np.matmul(d.ref, w), np.matmul(np.transpose(d), h)];
  });
  const data = (array: JaxArray) => array.dataSync() as Float32Array;
  return {
    name: "jax-js",
    forward: () => ({ logps: data(forward(states(), head(), labels())) }),
    both: () => {
      const [logps, gradHidden, gradWeight] = both(states(), head(), labels(), slopes());
      return { logps: data(logps), gradHidden: data(gradHidden), gradWeight: data(gradWeight) };
    },
  };
}
