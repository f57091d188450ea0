// A pool that is used and then forgotten: in Node and Bun its workers do not keep the process.

import { createPool } from "../../dist/pool.js";

const pool = await createPool({ workers: 2 });
const rows = 64;
const vocab = 32_000;
const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
const { loss } = await pool.logitsLoss(
  { tokens, vocab, logits: new Float32Array(rows * vocab), reference: { logps: new Float64Array(2) } },
  { lossType: "sigmoid" },
);
console.log(JSON.stringify({ loss }));
