// A language-model head trained by gradient descent in jax-js: its vjp carries the gradient of the logits on to the weights.
//
//   node examples/adapters/jax.ts

import * as jax from "@jax-js/jax";
import { createWasm } from "dpo-kernels";
import { jaxLogitsLoss } from "dpo-kernels/jax";
import { dim, numbers, tokens, vocab } from "./task.ts";

const { numpy: np } = jax;
await jax.init();
const backend = await createWasm();

const embedding = numbers(vocab * dim, 1, 1);
const states = Array.from(tokens.inputIds, (id) => [...embedding.subarray(id * dim, (id + 1) * dim)]);
const hidden = np.array(states); // [2B·T, D]
const model = jax.jit((head: jax.Array): jax.Array => np.dot(hidden.ref, head)); // [2B·T, V]
let head = np.array(numbers(dim * vocab, 1, 2), { shape: [dim, vocab] });

// The reference is the model before the first step; its log-probs are computed once.
const before = (await model(head.ref).data()) as Float32Array;
const { logps } = backend.sequenceLogps({ tokens, vocab, logits: before });

const lossAndGrad = jaxLogitsLoss(jax, backend, model, { tokens, reference: { logps } }, { beta: 0.1 });
const losses: number[] = [];
let accuracy = 0;
for (let step = 0; step < 40; step++) {
  const { loss, grads, metrics } = await lossAndGrad(head.ref);
  head = head.sub(grads[0].mul(2));
  losses.push(loss);
  accuracy = metrics["rewards/accuracies"] ?? 0;
  if (step % 10 === 0) console.log(`step ${step}: loss ${loss.toFixed(4)}`);
}
console.log(`at the end: loss ${losses.at(-1)?.toFixed(4)}, accuracy ${accuracy.toFixed(2)}`);

export { losses };
