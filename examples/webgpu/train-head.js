// Trains the head of a model on made-up hidden states, in a page without a bundler: the products and the loss on the GPU, the
// update of 4,096 numbers here. Serve the folder above `dist` and `examples`, open train-head.html.

import { adamw, adamwState, clipGradNorm } from "../../dist/train.js";
import { createWebGpu } from "../../dist/webgpu.js";

const [vocab, hiddenSize, pairs, tokens, steps] = [128, 32, 8, 8, 12];
const element = (id) => document.getElementById(id);

let seed = 7;
const random = () => {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
};
const normal = () => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());

const start = Float32Array.from({ length: vocab * hiddenSize }, () => 0.4 * normal());

/** A batch of pairs: a state is near the head's row of its token, and preferred completions hold more even tokens. */
function makeBatch() {
  const rows = 2 * pairs * tokens;
  const offsets = Int32Array.from({ length: 2 * pairs + 1 }, (_, row) => row * tokens);
  const targets = new Int32Array(rows);
  const hidden = new Float32Array(rows * hiddenSize);
  for (let row = 0; row < rows; row++) {
    // Chosen completions come first.
    const even = row < rows / 2 ? 0.8 : 0.2;
    const id = 2 * Math.floor((random() * vocab) / 2) + (random() < even ? 0 : 1);
    targets[row] = id;
    for (let d = 0; d < hiddenSize; d++) {
      hidden[row * hiddenSize + d] = 0.5 * start[id * hiddenSize + d] + 0.5 * normal();
    }
    hidden[row * hiddenSize] = 1;
  }
  return { tokens: { pairs, offsets, targets }, vocab, hiddenSize, hidden, reference: { hidden, weight: start } };
}

async function train() {
  const gpu = await createWebGpu();
  element("reason").textContent = gpu.reason;
  const weight = start.slice();
  const gradWeight = new Float32Array(weight.length);
  const state = adamwState([weight]);
  const losses = [];
  for (let step = 0; step < steps; step++) {
    const { loss, metrics } = await gpu.linearLoss({ ...makeBatch(), weight }, { beta: 0.1, out: { gradWeight } });
    clipGradNorm([gradWeight], 1);
    adamw([weight], [gradWeight], state, { lr: 0.05, weightDecay: 0 });
    losses.push(loss);
    element("progress").value = (step + 1) / steps;
    const accuracy = metrics["rewards/accuracies"].toFixed(2);
    element("step").textContent = `step ${step + 1}: loss ${loss.toFixed(4)}, accuracy ${accuracy}`;
  }
  element("result").textContent = `trained: loss ${losses[0].toFixed(4)} → ${losses.at(-1).toFixed(4)}`;
  await gpu.dispose();
}

train().catch((error) => {
  element("result").textContent = `not trained: ${error.name}: ${error.message}`;
});
