// WebGPU in a page of Chromium, whose WGSL compiler is Tint.

import { expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inChromiumWithGpu } from "./support/browsers.ts";
import { expectedReport } from "./webgpu/expected.ts";

suite(inChromiumWithGpu, (visit) => {
  it("the scenario holds", async () => {
    expect(await visit("test/runtimes/webgpu/page.html", {})).toEqual(expectedReport("swiftshader"));
  });
}, 60_000);
