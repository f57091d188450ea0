// WebGPU in Deno, whose WGSL compiler is Naga.

import { expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { missingOf, VULKAN_DRIVERS } from "./support/browsers.ts";
import { pinned, reportOf } from "./support/processes.ts";
import { expectedReport } from "./webgpu/expected.ts";

const missing = missingOf([VULKAN_DRIVERS], "mesa-vulkan-drivers");

const tests = (): void => {
  it("the scenario holds, with no permission but to read the files of the package", async () => {
    const run = ["run", "--no-prompt", "--allow-read", "test/runtimes/webgpu/main.js"];
    expect(await reportOf(pinned("deno"), run)).toEqual(expectedReport(""));
  });
};
whereThereIs("WebGPU in Deno", missing, tests, { timeout: 70_000 });
