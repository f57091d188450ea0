// WebGPU in a page of Chromium, whose WGSL compiler is Tint.

import { expect, it } from "vitest";
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
  },
  60_000,
);
