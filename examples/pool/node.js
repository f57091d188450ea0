// Logits to gradients on all cores, in Node, Deno (deno run --allow-read) and Bun. From a project of your own the import is
// "dpo-kernels/pool".

import { createPool } from "../../dist/pool.js";
import { makeBatch } from "./made-up.js";

const pool = await createPool();
console.log(pool.reason);

// In memory that workers share, nothing is copied.
const batch = makeBatch((n) => pool.allocate("f32", n));
const { loss, metrics, gradLogits } = await pool.logitsLoss(batch, {
  lossType: "sigmoid",
  beta: 0.1,
  inPlace: true,
  onProgress: (done, total) => console.log(`${Math.round((100 * done) / total)} %`),
});
const norm = Math.sqrt(gradLogits.reduce((sum, x) => sum + x * x, 0));
console.log(`loss ${loss.toFixed(4)}, margin ${metrics["rewards/margins"].toFixed(4)}, |gradient| ${norm.toFixed(4)}`);

// Node and Bun exit without it, Deno does not.
await pool.dispose();
