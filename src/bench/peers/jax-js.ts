// jax-js on its `wasm` device: functions under `jit`, read with `dataSync`, which computes them on one thread; `data` would have them
// done by Workers where there are any. Timed are arrays made of the caller's, the functions, and the results taken out; the optimiser's
// arrays stay where they are, as a model's would.
// Takes are not differentiated under jit, and nn.oneHot makes a V × V matrix, so the label's part of a gradient is a comparison. Tried
// and slower: `logSoftmax`, `vjp` of the whole (a fifth); for pairs `log1p` (twice as long). Its own softplus is faster and not stable,
// and no form of it is closer than 1.2e-5: its logarithm is not.

import type * as Jax from "@jax-js/jax";
import type { LinearInputs, LogitsInputs, OptimiserInputs, PairsInputs, RowsInputs } from "../inputs.ts";
import type { Opened } from "../types.ts";
import { candidate, type Forms, loadAll, type Peer, type Results, repeatable, skipped, versionOf } from "./peer.ts";

type Array = Jax.Array;

const library = "@jax-js/jax";

export const jaxJs: Peer = async (libraries) => {
  const name = "jax-js";
  try {
    const [jax] = (await loadAll(libraries, [library])) as [typeof Jax];
    if (!(await jax.init("wasm")).includes("wasm")) throw new Error("it has no wasm device here");
    jax.defaultDevice("wasm");
    const version = await versionOf(libraries, library);
    return candidate({ name, arrays: "fresh", ...(version && { version }) }, formsOf(jax));
  } catch (cause) {
    return skipped(name, cause);
  }
};

function formsOf({ jit, nn, numpy: np, vjp }: typeof Jax): Forms {
  const data = (array: Array) => array.dataSync() as Float32Array;
  const vector = (values: Float32Array<ArrayBuffer>) => np.array(values);
  const matrix = (values: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>, columns: number) =>
    np.array(values, { shape: [values.length / columns, columns] });

  const pairs = ({ lossType, beta, pairs }: PairsInputs): Opened | undefined => {
    if (lossType !== "sigmoid") return undefined;
    const { policyChosen, policyRejected, referenceChosen, referenceRejected } = pairs;
    const compiled = jit((pc: Array, pr: Array, rc: Array, rr: Array): [Array, Array, Array, Array] => {
      const x = pr.sub(rr).sub(pc.sub(rc)).mul(beta);
      const losses = np.maximum(x.ref, 0).add(np.log(np.exp(np.negative(np.abs(x.ref))).add(1)));
      const slope = nn.sigmoid(x).mul(beta / policyChosen.length);
      return [np.mean(losses.ref), losses, np.negative(slope.ref), slope];
    });
    return repeatable(() => {
      const arrays = [policyChosen, policyRejected, referenceChosen, referenceRejected].map(vector);
      const [loss, losses, gradChosen, gradRejected] = compiled(...(arrays as [Array, Array, Array, Array])).map(data);
      return { loss: loss?.[0], losses, gradChosen, gradRejected } as Results;
    });
  };

  const rows = ({ beta, rows }: RowsInputs): Opened => {
    const { policy, reference, desirable, klPolicy, klReference } = rows;
    const signed = Float32Array.from(desirable, (is) => (is ? -beta : beta));
    const compiled = jit((p: Array, r: Array, sign: Array, kp: Array, kr: Array): [Array, Array, Array] => {
      const kl = np.maximum(np.mean(kp.sub(kr)), 0);
      const losses = nn.sigmoid(p.sub(r).sub(kl).mul(sign.ref));
      const slope = losses.ref.mul(np.subtract(1, losses.ref));
      return [np.mean(losses.ref), losses, slope.mul(sign).div(policy.length)];
    });
    return repeatable(() => {
      const arrays = [policy, reference, signed, klPolicy, klReference].map(vector);
      const [loss, losses, grad] = compiled(...(arrays as [Array, Array, Array, Array, Array])).map(data);
      return { loss: loss?.[0], losses, grad } as Results;
    });
  };

  const atLabels = (x: Array, id: Array, rows: number) => np.takeAlongAxis(x, id, 1).reshape([rows]);

  const logits = ({ pass, rows, vocab, logits, ids, g }: LogitsInputs): Opened | undefined => {
    if (!(logits instanceof Float32Array)) return undefined;
    const forward = (x: Array, id: Array) => atLabels(x.ref, id, rows).sub(nn.logsumexp(x, 1));
    if (pass === "forward") {
      const compiled = jit(forward);
      return repeatable(() => ({ logps: data(compiled(matrix(logits, vocab), matrix(ids, 1))) }));
    }
    const compiled = jit((x: Array, id: Array, slope: Array): [Array, Array] => {
      const [sums, pull] = vjp((u: Array) => nn.logsumexp(u, 1), [x.ref]);
      const [spread] = pull(slope.ref.reshape([rows])) as [Array];
      const isLabel = np.equal(np.arange(vocab), id.ref);
      return [atLabels(x, id, rows).sub(sums), np.where(isLabel, slope, 0).sub(spread)];
    });
    return repeatable(() => {
      const [logps, gradient] = compiled(matrix(logits, vocab), matrix(ids, 1), matrix(g, 1));
      return { logps: data(logps), gradient: data(gradient) };
    });
  };

  const linear = ({ pass, rows, width, vocab, hidden, weight, ids, g }: LinearInputs): Opened => {
    if (pass === "forward") {
      const compiled = jit((h: Array, w: Array, id: Array) => {
        const x = np.matmul(h, np.transpose(w));
        return atLabels(x.ref, id, rows).sub(nn.logsumexp(x, 1));
      });
      return repeatable(() => ({
        logps: data(compiled(matrix(hidden, width), matrix(weight, width), matrix(ids, 1))),
      }));
    }
    const compiled = jit((h: Array, w: Array, id: Array, slope: Array): [Array, Array, Array] => {
      const x = np.matmul(h.ref, np.transpose(w.ref));
      const sums = nn.logsumexp(x.ref, 1);
      const p = np.exp(x.ref.sub(sums.ref.reshape([rows, 1])));
      const isLabel = np.equal(np.arange(vocab), id.ref);
      const d = np.where(isLabel, slope.ref, 0).sub(p.mul(slope));
      return [atLabels(x, id, rows).sub(sums), np.matmul(d.ref, w), np.matmul(np.transpose(d), h)];
    });
    return repeatable(() => {
      const given = [matrix(hidden, width), matrix(weight, width), matrix(ids, 1), matrix(g, 1)] as const;
      const [logps, gradHidden, gradWeight] = compiled(...given);
      return { logps: data(logps), gradHidden: data(gradHidden), gradWeight: data(gradWeight) };
    });
  };

  const optimiser = ({ what, hyper, ...inputs }: OptimiserInputs): Opened | undefined => {
    if (what !== "adamw") return undefined;
    const { lr, betas, eps, weightDecay } = hyper;
    const [beta1, beta2] = betas;
    const compiled = jit((p: Array, g: Array, m: Array, v: Array, size: Array, root: Array): [Array, Array, Array] => {
      const mean = m.mul(beta1).add(g.ref.mul(1 - beta1));
      const square = v.mul(beta2).add(np.square(g).mul(1 - beta2));
      const step = mean.ref.mul(size).div(np.sqrt(square.ref).div(root).add(eps));
      return [p.mul(1 - lr * weightDecay).sub(step), mean, square];
    });
    let t = inputs.step;
    const grads = vector(inputs.grads);
    let state = [vector(inputs.params), vector(inputs.m), vector(inputs.v)] as [Array, Array, Array];
    return {
      run() {
        t++;
        const [params, m, v] = state;
        const scalars = [np.array(lr / (1 - beta1 ** t)), np.array(Math.sqrt(1 - beta2 ** t))] as const;
        state = compiled(params, grads.ref, m, v, ...scalars);
        // Nothing is computed until something is read: one number of each.
        for (const array of state) array.ref.slice([0, 1]).dataSync();
      },
      results: () => ({ params: data(state[0].ref) }),
      close: () => {
        for (const array of [grads, ...state]) array.dispose();
      },
    };
  };

  return { pairs, rows, logits, linear, optimiser };
}
