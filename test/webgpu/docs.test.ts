// The examples in the doc comments of the WebGPU backend and in docs/webgpu.md run as they stand.

import { globSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "../support/dawn.ts";
import { randomLogits } from "../support/logits.ts";
import { blocksOf, filesOf, goesOn, runFile } from "../support/pages.ts";

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

onDawn("docs/webgpu.md", () => {
  const page = "docs/webgpu.md";
  const files = filesOf(page);

  beforeAll(() => {
    asNavigator(dawn);
    // Browsers and Deno have it; Dawn's numbers are the standard's.
    vi.stubGlobal("GPUBufferUsage", { COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 });
  });
  afterAll(() => vi.unstubAllGlobals());

  test("has examples that go on from one another, and says so", () => {
    expect([blocksOf(page).length, files.length]).toEqual([3, 1]);
    expect(readFileSync(page, "utf8")).toContain(goesOn);
  });

  test.each(files)("block %s", async (blocks, code) => {
    const { gpu } = await runFile(`${page}/${blocks}`, `${code}export { gpu };`);
    (gpu as WebGpuBackend).dispose();
  });
});
