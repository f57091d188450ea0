// Which backend createBackend takes: WebGPU only where the adapter is a real GPU, a pool where there are cores for it.

import os from "node:os";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createBackend } from "../src/index.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "./support/dawn.ts";

const opened: { dispose(): unknown }[] = [];
const take = async (work: "pairs" | "logits" | "linear", more = {}) => {
  const backend = await createBackend({ for: work, ...more });
  opened.push(backend);
  return backend;
};

afterEach(async () => {
  vi.restoreAllMocks();
  asNavigator(undefined);
  await Promise.all(opened.splice(0).map((backend) => backend.dispose()));
});

describe("without a GPU", () => {
  it.each(["logits", "linear"] as const)("%s: a pool where the machine runs several workers", async (work) => {
    vi.spyOn(os, "availableParallelism").mockReturnValue(2);
    const { name, reason } = await take(work);
    expect([name, reason]).toEqual(["pool", expect.stringMatching(/^up to 2 workers/)]);
  });

  it("one core, or memory reserved on this thread: SIMD in this thread", async () => {
    expect((await take("logits", { reserve: 1024 })).name).toBe("wasm");
    vi.spyOn(os, "availableParallelism").mockReturnValue(1);
    expect((await take("linear")).name).toBe("wasm");
  });

  it("pairs stay on this thread, and their calls return at once", async () => {
    expect((await take("pairs")).name).toBe("wasm");
  });
});

onDawn("with an adapter", () => {
  it("a software adapter is not taken", async () => {
    asNavigator(dawn);
    expect((await take("logits")).name).not.toBe("webgpu");
  });

  it.each(["logits", "linear"] as const)("%s: a real GPU is, and gives the right number", async (work) => {
    const adapter = await adapterOfDawn();
    const info = { vendor: "acme", architecture: "rocket", device: "", description: "" };
    const pretended = new Proxy(adapter, {
      get: (target, name) => {
        if (name === "info") return info;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    asNavigator({ requestAdapter: async () => pretended } as unknown as GPU);
    const backend = await take(work);
    expect(backend.name).toBe("webgpu");
    const ones = Float32Array.of(-1);
    const pairs = { policyChosen: ones, policyRejected: ones, referenceChosen: ones, referenceRejected: ones };
    expect((await backend.pairLoss(pairs)).loss).toBeCloseTo(Math.LN2, 6);
  });

  it("pairs need none", async () => {
    asNavigator(dawn);
    expect((await take("pairs")).name).toBe("wasm");
  });
});
