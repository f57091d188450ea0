// Memory stays flat: ten thousand calls of mixed sizes and losses make and grow no WebAssembly memory once warm.

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createWasm } from "../src/index.ts";
import type { Backend, PairLogps, PairLossOptions } from "../src/types.ts";
import { localBackends } from "./support/backends.ts";
import { part, randomFrom, randomPairs, wide } from "./support/pairs.ts";
import { pairTypes } from "./support/variants.ts";

const memories: WebAssembly.Memory[] = [];
const grown = vi.fn();

/** Memory that says that it was made or grown. */
class CountedMemory extends WebAssembly.Memory {
  constructor(descriptor: WebAssembly.MemoryDescriptor) {
    super(descriptor);
    memories.push(this);
  }

  override grow(pages: number): number {
    grown(pages);
    return super.grow(pages);
  }
}

const Original = WebAssembly.Memory;
beforeAll(() => {
  WebAssembly.Memory = CountedMemory;
});
afterAll(() => {
  WebAssembly.Memory = Original;
});

const sizes = () => memories.map(({ buffer }) => buffer.byteLength);

const MOST = 1500;
const float32 = randomPairs(MOST, 91);
const float64 = wide(float32);

/** Calls of every kind, the same for the same number. */
function callOf(k: number): { pairs: PairLogps; options: PairLossOptions } {
  const random = randomFrom(k);
  const count = 1 + Math.floor(MOST * random() ** 6);
  const options: PairLossOptions = {
    lossType: [pairTypes[k % pairTypes.length] as string, ...(k % 3 === 0 ? ["aot_unpaired"] : [])],
    metrics: k % 7 === 0 ? "full" : "basic",
  };
  return { pairs: part(k % 5 === 0 ? float64 : float32, 0, count), options };
}

const warmUp = (backend: Backend): void => {
  backend.pairLoss(float32, { lossType: ["aot", "aot_unpaired"] });
};

const candidates = localBackends.filter(({ name }) => name !== "js");

describe.each(candidates)("$name", ({ name, missing }) => {
  it.skipIf(missing)(`memory is flat over 10,000 calls${missing ? ` (skipped: ${missing})` : ""}`, async () => {
    const backend = await createWasm({ relaxed: name === "wasm relaxed", reserve: 1 << 16 });
    const mine = memories.length - 1;
    expect(mine).toBeGreaterThanOrEqual(0);
    warmUp(backend);
    // The backend's own, and that of AOT.
    expect(memories.length).toBe(mine + 2);
    const warm = sizes();
    grown.mockClear();
    for (let k = 0; k < 10_000; k++) {
      const { pairs, options } = callOf(k);
      backend.pairLoss(pairs, options);
    }
    expect(sizes()).toEqual(warm);
    expect(memories.length).toBe(mine + 2);
    expect(grown).not.toHaveBeenCalled();
  });

  it.skipIf(missing)("a larger batch makes AOT's memory grow once, and the backend's own never", async () => {
    const backend = await createWasm({ relaxed: name === "wasm relaxed" });
    const [own, sorting] = [memories.length - 1, memories.length];
    const before = memories[own]?.buffer.byteLength;
    warmUp(backend);
    grown.mockClear();
    const many = randomPairs(50_000, 92);
    for (let k = 0; k < 3; k++) backend.pairLoss(many, { lossType: ["aot", "sigmoid"] });
    expect(grown).toHaveBeenCalledTimes(1);
    expect(memories[own]?.buffer.byteLength).toBe(before);
    expect(memories[sorting]?.buffer.byteLength).toBeGreaterThan(50_000 * 36);
  });

  it.skipIf(missing)("without a sorted loss there is one memory", async () => {
    const made = memories.length;
    const backend = await createWasm({ relaxed: name === "wasm relaxed" });
    for (const lossType of ["sigmoid", "sft", "ipo", "exo_pair"]) backend.pairLoss(float32, { lossType });
    expect(memories.length).toBe(made + 1);
  });

  it.skipIf(missing)("refused calls leave nothing behind", async () => {
    const backend = await createWasm({ relaxed: name === "wasm relaxed" });
    warmUp(backend);
    const warm = sizes();
    const short = { ...float32, policyRejected: new Float32Array(3) };
    for (let k = 0; k < 1000; k++) {
      expect(() => backend.pairLoss(short, { lossType: "aot" })).toThrow(/policyRejected: expected 1500 values/);
    }
    expect(sizes()).toEqual(warm);
  });
});
