// onnxruntime-web leaves its logits on the GPU; the loss reads them there, on its device, and writes the gradient over them.
// Serve the folder above `dist`, `examples` and `node_modules`, open onnxruntime.html.

import * as ort from "onnxruntime-web/webgpu";
import { createWebGpu } from "../../dist/webgpu.js";
import { reference, tokens, vocab } from "./tokens.js";

const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

async function run() {
  // Threads need a cross-origin isolated page.
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create("tiny.onnx", {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
  });
  const shape = [2 * tokens.pairs, tokens.length];
  const input_ids = new ort.Tensor("int64", BigInt64Array.from(tokens.inputIds, BigInt), shape);
  const { logits } = await session.run({ input_ids });

  const gpu = await createWebGpu({ device: await ort.env.webgpu.device });
  show("reason", gpu.reason);
  const batch = { tokens, vocab, logits: { buffer: logits.gpuBuffer }, reference };
  // Losses and metrics come back; with `readback: false` not even they do.
  const { loss, metrics } = await gpu.logitsLoss(batch, { inPlace: true });
  show(
    "result",
    `logits in a ${logits.location}: loss ${loss.toFixed(5)}, margin ${metrics["rewards/margins"].toFixed(5)}`,
  );
  // The buffer is the tensor's: it goes with it.
  logits.dispose();
  await gpu.dispose();
  await session.release();
}

run().catch((error) => show("result", `not run: ${error.name}: ${error.message}`));
