// The calls on WebGPU, through Dawn. On a software adapter the times are those of a CPU and say nothing about GPUs: they show
// what a call costs besides its shaders, and that reading back is the least of it there.

import { existsSync } from "node:fs";
import { createJs } from "../dist/index.js";
import { createWebGpu } from "../dist/webgpu.js";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (!process.env["VK_ICD_FILENAMES"] && existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
const dawn: string = "webgpu";
const { create } = (await import(dawn)) as { create(options: string[]): GPU };
// Dawn's device does not outlive this object.
const gpuOfBench = create([]);
Object.assign(globalThis, { gpuOfBench });
const adapter = await gpuOfBench.requestAdapter();
if (!adapter) throw new Error("no adapter: apt-get install chromium libvulkan1");
const gpu = await createWebGpu({ adapter });
const js = createJs();
console.log(gpu.reason);

const numbers = (n: number, scale: number): Float32Array =>
  Float32Array.from({ length: n }, () => scale * Math.random());

async function median(name: string, call: () => Promise<unknown>, runs = 7): Promise<void> {
  await call();
  const times: number[] = [];
  for (let k = 0; k < runs; k++) {
    const start = performance.now();
    await call();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  console.log(`${name}: ${(times[runs >> 1] as number).toFixed(1)} ms`);
}

function close(name: string, got: number, want: number): void {
  if (!(Math.abs(got - want) <= 1e-5 * Math.max(1, Math.abs(want)))) throw new Error(`${name}: ${got} is not ${want}`);
}

for (const count of [1000, 100_000]) {
  const pairs = {
    policyChosen: numbers(count, -50),
    policyRejected: numbers(count, -50),
    referenceChosen: numbers(count, -50),
    referenceRejected: numbers(count, -50),
  };
  close("pairLoss", (await gpu.pairLoss(pairs)).loss, js.pairLoss(pairs).loss);
  await median(`pairLoss, ${count} pairs`, () => gpu.pairLoss(pairs));
  await median(`pairLoss aot, ${count} pairs`, () => gpu.pairLoss(pairs, { lossType: "aot" }), 3);
}

for (const { rows, vocab } of [
  { rows: 64, vocab: 32_000 },
  { rows: 16, vocab: 151_936 },
]) {
  const offsets = Int32Array.of(0, rows / 2, rows);
  const tokens = { pairs: 1, offsets, targets: new Int32Array(rows).fill(7) };
  const logits = numbers(rows * vocab, 8);
  const batch = { tokens, vocab, logits, reference: { logps: new Float64Array(2) } };
  close("logitsLoss", (await gpu.logitsLoss(batch)).loss, js.logitsLoss(batch).loss);
  const name = `${rows} rows, V = ${vocab}`;
  await median(`sequenceLogps, ${name}`, () => gpu.sequenceLogps(batch));
  await median(`logitsLoss, ${name}`, () => gpu.logitsLoss(batch));
  const buffer = gpu.device.createBuffer({ size: logits.byteLength, usage: 0x8c });
  gpu.device.queue.writeBuffer(buffer, 0, logits as Float32Array<ArrayBuffer>);
  await median(`logitsLoss, readback false, ${name}`, async () => {
    const result = await gpu.logitsLoss({ ...batch, logits: { buffer } }, { readback: false });
    await result.done;
    await gpu.device.queue.onSubmittedWorkDone();
    result.destroy();
  });
  buffer.destroy();
}

{
  const [rows, hiddenSize, vocab] = [64, 128, 8192];
  const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows).fill(7) };
  const [hidden, weight] = [numbers(rows * hiddenSize, 1), numbers(vocab * hiddenSize, 0.2)];
  const batch = { tokens, vocab, hiddenSize, hidden, weight, reference: { logps: new Float64Array(2) } };
  close("linearLoss", (await gpu.linearLoss(batch)).loss, js.linearLoss(batch).loss);
  const name = `${rows} × ${hiddenSize} × ${vocab}`;
  await median(`linearLoss, ${name}`, () => gpu.linearLoss(batch), 3);
  const buffer = gpu.device.createBuffer({ size: weight.byteLength, usage: 0x8c });
  gpu.device.queue.writeBuffer(buffer, 0, weight as Float32Array<ArrayBuffer>);
  await median(
    `linearLoss, readback false, ${name}`,
    async () => {
      const result = await gpu.linearLoss({ ...batch, weight: { buffer } }, { readback: false });
      await result.done;
      await gpu.device.queue.onSubmittedWorkDone();
      result.destroy();
    },
    3,
  );
  buffer.destroy();
}
await gpu.dispose();
