// The logits of two sessions, policy and reference, to a loss and the gradient of the policy's logits.
//
//   node examples/adapters/onnxruntime-web.ts

import { createWasm } from "dpo-kernels";
import { ortLogits } from "dpo-kernels/onnxruntime";
import * as ort from "onnxruntime-web";
import { encodeModel } from "./onnx.ts";
import { dim, numbers, tokens, vocab } from "./task.ts";

const embedding = numbers(vocab * dim, 1, 1);
const load = (seed: number): Promise<ort.InferenceSession> =>
  ort.InferenceSession.create(encodeModel({ embedding, head: numbers(dim * vocab, 1, seed), dim, vocab }, "float32"));
const [policy, reference] = await Promise.all([load(2), load(3)]);

const shape = [2 * tokens.pairs, tokens.length];
const input_ids = new ort.Tensor("int64", BigInt64Array.from(tokens.inputIds, BigInt), shape);

async function logitsOf(session: ort.InferenceSession): Promise<ort.Tensor> {
  const { logits } = await session.run({ input_ids });
  if (!logits) throw new Error("the model has no output named logits");
  return logits;
}

const backend = await createWasm();
const logits = await logitsOf(policy);
const batch = { tokens, ...ortLogits(logits, tokens), reference: ortLogits(await logitsOf(reference), tokens) };
// With `inPlace: true` the gradient would take the place of the logits, and no second array of their size be needed.
const { loss, metrics, gradLogits } = backend.logitsLoss(batch, { lossType: "sigmoid", beta: 0.1 });

console.log(`logits   ${logits.type} [${logits.dims.join(", ")}]`);
console.log(`loss     ${loss.toPrecision(6)}`);
console.log(`accuracy ${metrics["rewards/accuracies"]?.toFixed(2)}`);

export { batch, gradLogits, loss };
