// A page that trains with checkpoints in the origin's private file system, and goes on where the browser was killed: after each step it
// reports all that it has done so far; the last line is the head's hash. ?store=name&steps=100.

import { createWasm } from "../../dist/index.js";
import { createTrainer, opfsStore } from "../../dist/train.js";
import { examplesOf, makeModel } from "../../examples/train-in-tab/data.js";

const given = new URLSearchParams(location.search);
const lines = [];
const report = () => fetch("/report", { method: "POST", body: JSON.stringify(lines) });

async function train() {
  const { head, backbone } = makeModel();
  const trainer = await createTrainer({
    config: { max_steps: Number(given.get("steps")), per_device_train_batch_size: 4, learning_rate: 3e-3 },
    ...{ examples: examplesOf("kind", 32), head, backbone, backend: await createWasm() },
    checkpoint: { store: await opfsStore(given.get("store")), everySteps: 1 },
    resume: true,
    onWarning: (warning) => lines.push(`warning ${warning}`),
  });
  for await (const { step, metrics } of trainer) {
    lines.push(`${step} ${JSON.stringify(metrics)}`);
    await report();
  }
  const { "model.safetensors": model } = await trainer.files();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
  lines.push(`end ${Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("")}`);
}

await train().catch((error) => lines.push(`failed ${error.name}: ${error.message}`));
await report();
