// The examples in the doc comments of the WebGPU backend run as they stand.

import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createWebGpu } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { randomLogits } from "../support/logits.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

const examples = globSync("src/webgpu/*.ts").flatMap((file) =>
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
