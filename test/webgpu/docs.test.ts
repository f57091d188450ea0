// The examples in the doc comments of the WebGPU backend and in docs/webgpu.md run as they stand.

import { globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { beforeAll, expect, test } from "vitest";
import { createWebGpu, gpuMetrics, hasRealGpu } from "../../src/webgpu.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "../support/dawn.ts";
import { toBuffer } from "../support/gpu-buffers.ts";
import { randomLogits } from "../support/logits.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

const examples = globSync("src/backends/webgpu/*.ts").flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(/@example\s+([\s\S]*?)(?=\n \*\/)/g)].map(
    ([, text = ""]) => [file, text.replace(/\n \*/g, "\n")] as const,
  ),
);

onDawn("doc comments", () => {
  test("there is one", () => expect(examples.length).toBeGreaterThan(0));

  test.each(examples)("%s", async (_file, code) => {
    const device = await (await adapterOfDawn()).requestDevice();
    const batch = randomLogits({ pairs: 2, length: 5, vocab: 11, seed: 7 });
    const given = { createWebGpu, device, batch };
    await new AsyncFunction(...Object.keys(given), `{ ${code}\n }`)(...Object.values(given));
    device.destroy();
  });
});

const blocks = [...readFileSync("docs/webgpu.md", "utf8").matchAll(/```(?:js|ts)\n([\s\S]*?)```/g)].map(
  ([, code = ""], i) => [i + 1, code] as const,
);

onDawn("docs/webgpu.md", () => {
  beforeAll(() => asNavigator(dawn));

  test("has examples", () => expect(blocks.length).toBeGreaterThanOrEqual(3));

  // Each goes on from the ones before it, as a reader does: with a backend, a batch of logits, hidden states and a head.
  test.each(blocks)("example %i", async (_i, code) => {
    const device = await (await adapterOfDawn()).requestDevice();
    const gpu = await createWebGpu({ device });
    const { tokens, vocab, logits } = randomLogits({ pairs: 2, length: 5, vocab: 11, seed: 7 });
    const hiddenSize = 4;
    const values = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i));
    const moment = () => toBuffer(device, new Float32Array(vocab * hiddenSize));
    const given = {
      ...{ createWebGpu, gpuMetrics, hasRealGpu, device, gpu, tokens, vocab, logits, hiddenSize },
      reference: { logps: new Float64Array(2 * tokens.pairs) },
      buffer: toBuffer(device, logits as Float32Array).buffer,
      hidden: values(2 * tokens.pairs * 5 * hiddenSize),
      weight: toBuffer(device, values(vocab * hiddenSize)),
      usage: 0x8c, // STORAGE | COPY_SRC | COPY_DST
      state: { step: 0, m: moment(), v: moment() },
    };
    const body = stripTypeScriptTypes(code).replace(/^import .* from "dpo-kernels(\/\w+)?";$/gm, "");
    await new AsyncFunction(...Object.keys(given), `{ ${body}\n }`)(...Object.values(given));
    gpu.dispose();
    device.destroy();
  });
});
