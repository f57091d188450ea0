// A pool whose worker's file was left behind, as bundlers do: its workers start from their text, and it says so.

import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { dist } from "../support/built.ts";
import { errorOf, poolOf, small } from "./support/pools.ts";

const program = `
  import { createPool } from "./dist/pool.js";
  const pool = await createPool({ workers: 2, memory: process.argv[2] });
  const [rows, vocab] = [64, 32_000];
  const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
  const batch = { tokens, vocab, logits: new Float32Array(rows * vocab), reference: { logps: new Float64Array(2) } };
  const { loss } = await pool.logitsLoss(batch, { lossType: "sigmoid" });
  console.log(JSON.stringify({ loss, reason: pool.reason }));
  await pool.dispose();
`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dpo-kernels-text-"));
  cpSync(dist, join(folder, "dist"), { recursive: true });
  rmSync(join(folder, "dist/worker.js"));
  writeFileSync(join(folder, "run.mjs"), program);
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each(["shared", "transfer"])("works, and names the place without a file: %s", (memory) => {
  const report = JSON.parse(execFileSync(process.execPath, ["run.mjs", memory], { cwd: folder, encoding: "utf8" }));
  expect(report).toEqual({
    loss: expect.closeTo(Math.LN2, 6),
    reason: expect.stringMatching(/started from their text: no worker's file at file:.*worker\.js: /),
  });
});

it("a way of the caller's own is the only one tried", async () => {
  let started = 0;
  const createWorker = () => {
    started++;
    throw new Error("on purpose");
  };
  const pool = await poolOf({ workers: 1, createWorker });
  const error = await errorOf(pool.sequenceLogps(small));
  expect(error).toMatchObject({ name: "WorkerError", message: "worker: it could not be started: on purpose" });
  expect([started, pool.reason]).toEqual([1, expect.not.stringContaining("text")]);
});
