// A page under headers that may forbid the pool something: reports how one small call goes, or what it is refused with.

async function call() {
  const { createPool } = await import("../../dist/pool.js");
  const pool = await createPool({ workers: 1, timeout: 15_000 });
  const [rows, vocab] = [64, 32_000];
  const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
  const reference = { logps: new Float64Array(2) };
  const batch = { tokens, vocab, logits: new Float32Array(rows * vocab), reference };
  try {
    return { loss: (await pool.logitsLoss(batch, { lossType: "sigmoid" })).loss };
  } finally {
    await pool.dispose();
  }
}

const report = await call().catch(({ name, code, message }) => ({ name, code, message }));
await fetch("/report", { method: "POST", body: JSON.stringify(report) });
