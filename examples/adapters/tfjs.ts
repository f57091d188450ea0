// A language-model head trained by tf.train.adam through the loss.
//
//   node examples/adapters/tfjs.ts

// Three parts of @tensorflow/tfjs, which would do as well; tfjs-layers brings the gradients of operations to Node.
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-layers";
import { createWasm } from "dpo-kernels";
import { tfLogitsLoss } from "dpo-kernels/tfjs";
import { dim, numbers, tokens, vocab } from "./task.ts";

const backend = await createWasm();

const embedding = tf.tensor2d(numbers(vocab * dim, 1, 1), [vocab, dim]);
const hidden = tf.tidy(() => tf.gather(embedding, tf.tensor1d(tokens.inputIds, "int32"))); // [2B·T, D]
const head = tf.variable(tf.tensor2d(numbers(dim * vocab, 1, 2), [dim, vocab]));
const logits = (): tf.Tensor2D => tf.matMul(hidden as tf.Tensor2D, head as tf.Tensor2D); // [2B·T, V]

// The reference is the model before the first step; its log-probs are computed once.
const before = tf.tidy(() => logits().dataSync<"float32">());
const { logps } = backend.sequenceLogps({ tokens, vocab, logits: before });

const losses: number[] = [];
let accuracy = 0;
const loss = tfLogitsLoss(
  tf,
  backend,
  { tokens, reference: { logps } },
  {
    lossType: "sigmoid",
    beta: 0.1,
    onResult: ({ loss, metrics }) => {
      losses.push(loss);
      accuracy = metrics["rewards/accuracies"] ?? 0;
    },
  },
);

const optimizer = tf.train.adam(0.05);
const tensors: number[] = [];
for (let step = 0; step < 40; step++) {
  optimizer.minimize(() => loss(logits()));
  tensors.push(tf.memory().numTensors);
  if (step % 10 === 0) console.log(`step ${step}: loss ${losses[step]?.toFixed(4)}`);
}
console.log(`at the end: loss ${losses.at(-1)?.toFixed(4)}, accuracy ${accuracy.toFixed(2)}`);

export { losses, tensors };
