// WebGPU in a page of Firefox, whose WGSL compiler is Naga.

import { expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inFirefoxWithGpu } from "./support/browsers.ts";
import { expectedReport } from "./webgpu/expected.ts";

suite(inFirefoxWithGpu, (visit) => {
  it("the scenario holds", async () => {
    expect(await visit("test/runtimes/webgpu/page.html", {})).toEqual(expectedReport(""));
  });
}, 60_000);
