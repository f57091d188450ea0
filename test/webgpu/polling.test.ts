// Firefox tells of a finished queue every 100 ms, or when something is submitted to it.

import { afterEach, expect, it, vi } from "vitest";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { randomPairs } from "../support/pairs.ts";

/** What is submitted while a call is pending, in an engine of this name. */
async function submissions(userAgent: string): Promise<{ full: number; empty: number; later: number }> {
  vi.stubGlobal("navigator", { userAgent });
  vi.resetModules();
  const { createWebGpu } = await import("../../src/webgpu.ts");
  const device = await (await adapterOfDawn()).requestDevice();
  const counts = { full: 0, empty: 0, later: 0 };
  const submit = device.queue.submit.bind(device.queue);
  let isPending = true;
  device.queue.submit = (buffers) => {
    counts[isPending ? ([...buffers].length > 0 ? "full" : "empty") : "later"]++;
    submit(buffers);
  };
  const gpu = await createWebGpu({ device });
  await gpu.pairLoss(randomPairs(20, 1));
  isPending = false;
  await new Promise((resolve) => setTimeout(resolve, 50));
  return counts;
}

afterEach(() => vi.unstubAllGlobals());

onDawn("while a call is pending", () => {
  it("nothing is submitted beside it", async () => {
    expect(await submissions("Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0")).toEqual({
      full: 1,
      empty: 0,
      later: 0,
    });
  });

  it("Firefox gets submissions of nothing, and none afterwards", async () => {
    const { full, empty, later } = await submissions("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0");
    expect(full).toBe(1);
    expect(empty).toBeGreaterThan(0);
    expect(later).toBe(0);
  });
});
