// WebGPU in Deno, whose WGSL compiler is Naga.

import { describe, expect, it } from "vitest";
import { missingOf, VULKAN_DRIVERS } from "./support/browsers.ts";
import { pinned, reportOf } from "./support/processes.ts";
import { expectedReport } from "./webgpu/expected.ts";

const missing = missingOf([VULKAN_DRIVERS], "mesa-vulkan-drivers");
const title = missing ? `WebGPU in Deno (skipped: ${missing})` : "WebGPU in Deno";
if (missing) console.warn(title);
if (missing && process.env["CI"]) it("WebGPU in Deno is tested where CI is set", () => expect.fail(missing));

describe.skipIf(missing)(title, { timeout: 70_000 }, () => {
  it("the scenario holds, with no permission but to read the files of the package", async () => {
    const run = ["run", "--no-prompt", "--allow-read", "test/runtimes/webgpu/main.js"];
    expect(await reportOf(pinned("deno"), run)).toEqual(expectedReport(""));
  });
});
