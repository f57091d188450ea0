// The shaders on a second WGSL compiler: Naga, in Deno, on any Vulkan driver it finds (Debian: mesa-vulkan-drivers).

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";

const folders = (process.env["PATH"] ?? "").split(delimiter);
const deno = [process.env["DENO"] ?? "", ...folders.map((folder) => join(folder, "deno"))].find(
  (file) => file !== "" && existsSync(file),
);

interface Report {
  missing?: string;
  reason: string;
  compared: number;
  misses: string[];
}

function run(file: string): Report {
  // What points Dawn to its driver is not for Deno.
  const { VK_ICD_FILENAMES: _, ...env } = process.env;
  const script = fileURLToPath(new URL("../support/naga.ts", import.meta.url));
  const args = ["run", "--allow-all", "--no-check", "--no-config", "--unstable-sloppy-imports", script];
  const text = execFileSync(file, args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return JSON.parse(text) as Report;
}

const report = deno ? run(deno) : undefined;
const missing = report ? report.missing : "no Deno on the PATH, nor in DENO";
const title = missing ? `WGSL on Naga (skipped: ${missing})` : "WGSL on Naga";
if (missing) console.warn(title);

describe.skipIf(missing !== undefined)(title, () => {
  vi.setConfig({ testTimeout: 120_000 });

  it("gives the numbers of the js backend", () => {
    expect(report?.misses).toEqual([]);
    expect(report?.compared).toBeGreaterThan(200);
    expect(report?.reason).toContain("WebGPU on");
  });
});
