// A pool from the address given, whose server never answers for the worker's file: prints what a call comes to.

import process from "node:process";

const { createPool } = await import(process.argv[2]);

const pool = await createPool({ workers: 1, timeout: 10_000 });
const rows = 64;
const vocab = 32_000;
const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
const { loss } = await pool.logitsLoss(
  { tokens, vocab, logits: new Float32Array(rows * vocab), reference: { logps: new Float64Array(2) } },
  { lossType: "sigmoid" },
);
console.log(JSON.stringify({ loss, reason: pool.reason }));
await pool.dispose();
// A worker that waits for its file keeps Deno, terminated or not.
process.exit();
