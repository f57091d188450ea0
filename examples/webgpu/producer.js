// Logits that your own shader writes on your own device: the loss reads them where they lie, the gradient takes their place, and
// nothing of their size leaves the GPU.

import { createWebGpu, gpuMetrics } from "../../dist/webgpu.js";

const [pairs, perRow, vocab] = [4, 16, 8000];
const rows = 2 * pairs * perRow;

const shader = `
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let v = id.x;
  let row = id.y;
  if (v >= ${vocab}u) { return; }
  let isTarget = v == (row * 7919u) % ${vocab}u && row < ${rows / 2}u;
  logits[row * ${vocab}u + v] = 3.0 * sin(f32((row * 31u + v * 17u) % 1024u)) + select(0.0, 2.0, isTarget);
}`;

/** Your part: a buffer of logits, [rows·V] float32. Its usage has STORAGE; COPY_SRC is for who wants to look at it. */
export function produceLogits(device) {
  const usage = 0x80 | 0x4; // GPUBufferUsage.STORAGE | COPY_SRC
  const buffer = device.createBuffer({ size: 4 * rows * vocab, usage });
  const module = device.createShaderModule({ code: shader });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer } }] }));
  pass.dispatchWorkgroups(Math.ceil(vocab / 256), rows);
  pass.end();
  device.queue.submit([encoder.finish()]);
  return buffer;
}

/** What belongs to the logits: which tokens, and what the reference thinks of them. */
export const batch = {
  tokens: {
    pairs,
    offsets: Int32Array.from({ length: 2 * pairs + 1 }, (_, row) => row * perRow),
    targets: Int32Array.from({ length: rows }, (_, row) => (row * 7919) % vocab),
  },
  vocab,
  reference: { logps: new Float64Array(2 * pairs).fill(-10 * perRow) },
};

/** Loss and metrics by name; `buffer` then holds the gradient, for your next shader. */
export async function lossOf(device, buffer) {
  const gpu = await createWebGpu({ device });
  const logits = { buffer };
  const result = await gpu.logitsLoss({ ...batch, logits }, { inPlace: true, readback: false });
  // The only numbers that are read: 48 bytes.
  const { metrics } = result;
  const staging = device.createBuffer({ size: metrics.size, usage: 0x1 | 0x8 }); // MAP_READ | COPY_DST
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(metrics.buffer, metrics.offset, staging, 0, metrics.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  result.destroy();
  await gpu.dispose();
  return Object.fromEntries(gpuMetrics.map((name, at) => [name, values[at]]));
}
