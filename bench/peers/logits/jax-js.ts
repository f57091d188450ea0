import { defaultDevice, init, type Array as JaxArray, jit, nn, numpy as np, vjp } from "@jax-js/jax";
import type { Input, Library } from "./peer.ts";

/** Compiled functions on the `wasm` device. */
export async function create({ rows, vocab, logits, ids, g }: Input): Promise<Library> {
  await init("wasm");
  defaultDevice("wasm");
  const input = () => np.array(logits, { shape: [rows, vocab] });
  const labels = () => np.array(ids, { shape: [rows, 1] });
  const slopes = () => np.array(g, { shape: [rows, 1] });

  const atLabels = (x: JaxArray, id: JaxArray) => np.takeAlongAxis(x, id, 1).reshape([rows]);
  const logps = (x: JaxArray, id: JaxArray) => atLabels(x.ref, id).sub(nn.logsumexp(x, 1));
  // Takes are not differentiated under jit, and nn.oneHot makes a V × V matrix, so the label's part is a comparison. The
  // derivative of all of it by vjp takes a fifth longer.
  const both = (x: JaxArray, id: JaxArray, slope: JaxArray): [JaxArray, JaxArray] => {
    const [sums, pull] = vjp((u: JaxArray) => nn.logsumexp(u, 1), [x.ref]);
    const [spread] = pull(slope.ref.reshape([rows])) as [JaxArray];
    const isLabel = np.equal(np.arange(vocab), id.ref);
    return [atLabels(x, id).sub(sums), np.where(isLabel, slope, 0).sub(spread)];
  };
  const [compiledForward, compiledBoth] = [jit(logps), jit(both)];
  const peer = {
    name: "jax-js",
    forward: () => ({ logps: compiledForward(input(), labels()).dataSync() as Float32Array }),
    both: () => {
      const [logps, gradient] = compiledBoth(input(), labels(), slopes());
      return { logps: logps.dataSync() as Float32Array, gradient: gradient.dataSync() as Float32Array };
    },
  };
  return { peers: [peer] };
}
