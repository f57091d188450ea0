// A training with checkpoints in a folder, step by step on standard output; the last line is the head's hash.

import { createHash } from "node:crypto";
import { createWasm } from "../../src/index.ts";
import { newTrainer } from "./trainer.ts";

const [, , store = "", steps = "20"] = process.argv;
const trainer = await newTrainer(
  { max_steps: Number(steps), gradient_accumulation_steps: 2 },
  { backend: await createWasm({ relaxed: false }), checkpoint: { store, everySteps: 1 }, resume: true },
);
for await (const { step, metrics } of trainer) {
  console.log(step, JSON.stringify(metrics));
  // What was told is out before the next step begins.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
const { "model.safetensors": model = new Uint8Array() } = await trainer.files();
console.log("end", createHash("sha256").update(model).digest("hex"));
