// The runtime that a benchmark runs in, as it says of itself.

import type { BenchResult } from "./types.ts";

interface Globals {
  readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>> };
  readonly navigator?: { readonly userAgent?: string; readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
}

/** Browsers by the word that none of the others says of itself. */
const browsers = [
  ["firefox", /Firefox\/([\d.]+)/],
  ["chromium", /(?:Chrome|Chromium)\/([\d.]+)/],
  ["webkit", /Version\/([\d.]+)/],
  ["webkit", /AppleWebKit\/([\d.]+)/],
] as const;

export function runtimeOf(): Omit<BenchResult["runtime"], "clockStep"> {
  const { process, navigator, crossOriginIsolated } = globalThis as Globals;
  const agent = navigator?.userAgent ?? "";
  if (agent === "Cloudflare-Workers") return { name: "workerd", version: "" };
  const { bun, deno, node } = process?.versions ?? {};
  if (bun) return { name: "bun", version: bun };
  if (deno) return { name: "deno", version: deno };
  if (node) return { name: "node", version: node };
  const isolated = crossOriginIsolated === undefined ? {} : { crossOriginIsolated };
  for (const [name, pattern] of browsers) {
    const version = pattern.exec(agent)?.[1];
    if (version) return { name, version, ...isolated };
  }
  return { name: agent || "unknown", version: "", ...isolated };
}

/** Processors; 0 where the place does not say. */
export const coresOf = (): number => (globalThis as Globals).navigator?.hardwareConcurrency ?? 0;
