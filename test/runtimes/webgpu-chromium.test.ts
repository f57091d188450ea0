// WebGPU in a page of Chromium, whose WGSL compiler is Tint.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import { suite } from "./support/browser-suite.ts";
import { inChromiumWithGpu } from "./support/browsers.ts";
import { expectedReport } from "./webgpu/expected.ts";

suite(
  inChromiumWithGpu,
  (visit, show) => {
    it("the scenario holds", async () => {
      expect(await visit("test/runtimes/webgpu/page.html", {})).toEqual(expectedReport("swiftshader"));
    });

    it("the example page trains a head: its loss falls", async () => {
      const text = await show("examples/webgpu/train-head.html", /trained: /);
      const [, first, last] = /trained: loss ([\d.]+) → ([\d.]+)/.exec(text)?.map(Number) ?? [];
      expect(first, text).toBeCloseTo(Math.log(2), 4);
      expect(last, text).toBeLessThan(0.5);
    });

    it("the example page takes the loss of its own shader's logits", async () => {
      expect(await show("examples/webgpu/producer.html", /loss \d|not run/)).toMatch(
        /loss \d\.\d{4}, margin \d\.\d{4}/,
      );
    });

    it("the example page takes the loss of onnxruntime-web's logits where they lie", async () => {
      const { loss, metrics } = await lossOfModel();
      const text = await show("examples/webgpu/onnxruntime.html", /loss \d|not run/);
      const [, got, margin] = /gpu-buffer: loss ([\d.]+), margin ([-\d.]+)/.exec(text)?.map(Number) ?? [];
      expect(got, text).toBeCloseTo(loss, 4);
      expect(margin, text).toBeCloseTo(metrics["rewards/margins"] as number, 4);
      expect(text).toContain("swiftshader: the caller's device");
    });
  },
  60_000,
);

const tokensFile = "../../examples/webgpu/tokens.js";

/** The same model by onnxruntime-web's wasm provider, in Node, and its loss by js. */
async function lossOfModel() {
  const { reference, tokens, vocab } = await import(tokensFile);
  const model = await readFile(new URL("../../examples/webgpu/tiny.onnx", import.meta.url));
  const session = await ort.InferenceSession.create(model);
  const shape = [2 * tokens.pairs, tokens.length];
  const input_ids = new ort.Tensor("int64", BigInt64Array.from(tokens.inputIds, BigInt), shape);
  const { logits } = await session.run({ input_ids });
  return createJs().logitsLoss({ tokens, vocab, logits: logits?.data as Float32Array, reference });
}
