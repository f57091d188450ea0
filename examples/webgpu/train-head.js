// Trains the head of a model on made-up hidden states, in a page without a bundler. The head, its gradient and AdamW's state
// never leave the GPU: only the metrics come back. Serve the folder above `dist` and `examples`, open train-head.html.

import { createWebGpu, gpuMetrics } from "../../dist/webgpu.js";

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
  return { tokens: { pairs, offsets, targets }, vocab, hiddenSize, hidden };
}

/** A buffer on the device that holds these numbers. */
function toBuffer(device, array) {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: array.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, array);
  return { buffer };
}

/** The metrics of a step: all that ever comes back. */
async function readMetrics(device, { buffer, offset, size }) {
  const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return Object.fromEntries(gpuMetrics.map((name, at) => [name, values[at]]));
}

async function train() {
  const gpu = await createWebGpu();
  const { device } = gpu;
  element("reason").textContent = gpu.reason;
  const zeros = new Float32Array(start.length);
  const [weight, reference, gradWeight] = [start, start, zeros].map((array) => toBuffer(device, array));
  const state = { step: 0, m: toBuffer(device, zeros), v: toBuffer(device, zeros) };
  const losses = [];
  for (let step = 0; step < steps; step++) {
    const batch = { ...makeBatch(), weight };
    batch.reference = { hidden: batch.hidden, weight: reference };
    const options = { beta: 0.1, frozen: "hidden", out: { gradWeight }, readback: false };
    const { metrics, destroy } = await gpu.linearLoss(batch, options);
    gpu.adamw(weight, gradWeight, state, { lr: 0.05, weightDecay: 0 });
    const { loss, "rewards/accuracies": accuracy } = await readMetrics(device, metrics);
    destroy();
    losses.push(loss);
    element("progress").value = (step + 1) / steps;
    element("step").textContent = `step ${step + 1}: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(2)}`;
  }
  element("result").textContent = `trained: loss ${losses[0].toFixed(4)} → ${losses.at(-1).toFixed(4)}`;
  await gpu.dispose();
}

train().catch((error) => {
  element("result").textContent = `not trained: ${error.name}: ${error.message}`;
});
