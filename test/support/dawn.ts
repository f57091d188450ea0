// Dawn in Node, on SwiftShader: the software driver that comes with Debian's chromium. VK_ICD_FILENAMES chooses another.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { vi } from "vitest";
import { whereThereIs } from "./where-there-is.ts";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const INSTALL = "apt-get install -y --no-install-recommends chromium libvulkan1";

// The package's types repeat those of lib.dom and clash with them: imported by a name that tsc does not follow.
async function openDawn(name: string): Promise<GPU | undefined> {
  if (!process.env["VK_ICD_FILENAMES"] && existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  // Mesa's driver complains without one, at every start.
  process.env["XDG_RUNTIME_DIR"] ??= tmpdir();
  const { create } = (await import(name)) as { create(options: string[]): GPU };
  const gpu = create([]);
  // A device whose GPU object is collected crashes the process.
  Object.assign(globalThis, { gpuOfTests: gpu });
  return (await gpu.requestAdapter()) ? gpu : undefined;
}

/** Undefined where there is no driver. */
export const dawn = await openDawn("webgpu").catch((error: unknown): undefined => void console.warn(error));

/** Why there is no GPU here. */
export const missing = dawn ? undefined : `Dawn finds no Vulkan driver: ${INSTALL}`;

/** As the engine's own `navigator.gpu`, for what asks for it. */
export const asNavigator = (gpu: GPU | undefined): void => {
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
};

export async function adapterOfDawn(): Promise<GPUAdapter> {
  return (await dawn?.requestAdapter()) as GPUAdapter;
}

/** Tests that need Dawn; without it they show as skipped, or fail where CI is set. */
export function onDawn(name: string, tests: () => void): void {
  // A software driver on a busy machine: minutes are no sign of a call that hangs.
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
  whereThereIs(name, missing, tests);
}
