// What a backend keeps from one call for the next, so that calls of a few pairs are quick, shows in no result and hides no error.

import { describe, expect, test, vi } from "vitest";
import type { Backend } from "../src/types.ts";
import { onEachBackend } from "./support/backends.ts";
import { bitsOf } from "./support/fuzz.ts";

const pairs = () => ({
  policyChosen: Float32Array.of(-1, -2, -0.5),
  policyRejected: Float32Array.of(-1, -4, -5),
  referenceChosen: Float32Array.of(-1, -2.5, -1),
  referenceRejected: Float32Array.of(-1, -2.5, -6),
});

const rows = () => ({
  policy: Float32Array.of(-1, -2),
  reference: Float32Array.of(-1.5, -1),
  desirable: Uint8Array.of(1, 0),
});

const knownNames = (message: string): string[] =>
  /known: (.*?)(;|$)/.exec(message)?.[1]?.split(", ") ?? expect.fail(`no names in ${message}`);

async function namesOf(call: (options: object) => unknown): Promise<string[]> {
  const refusal = await (async () => call({ nothing: 1 }))().then(String, String);
  return knownNames(refusal);
}

onEachBackend((backend) => {
  const calls = {
    pairLoss: async (options: object) => backend.pairLoss(pairs(), options),
    unpairedLoss: async (options: object) => backend.unpairedLoss(rows(), { lossType: "bco", ...options }),
  };

  test.each(["pairLoss", "unpairedLoss"] as const)(
    "%s: an option is checked again after a call without it",
    async (name) => {
      const call = calls[name];
      for (const option of await namesOf(call)) {
        await call({});
        await expect(call({ [option]: "no" }), option).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
        await call({});
      }
    },
  );

  test("each value has its own results, whatever was asked before, −0 apart from 0", async () => {
    const asked = [
      { beta: 0.1 },
      { beta: 0.2 },
      { beta: 0.1, labelSmoothing: 0 },
      { beta: 0.1, labelSmoothing: -0 },
      { beta: 0.1, labelSmoothing: 0.25 },
      { beta: 0.1, fDivergence: "js_divergence" },
      { beta: 0.1, referenceFree: true },
      { beta: 0.1, gradScale: 3 },
      { beta: 0.1, metrics: "full" },
      { lossType: "robust", beta: 0.1, labelSmoothing: 0 },
      { lossType: "robust", beta: 0.1, labelSmoothing: -0 },
    ] as const;
    // A loss in a list is planned anew by every call.
    const anew = (options: { lossType?: string; beta: number }) =>
      calls.pairLoss({ ...options, lossType: [options.lossType ?? "sigmoid"] });
    for (const one of asked) {
      for (const other of asked) {
        await calls.pairLoss(one);
        expect(bitsOf(await calls.pairLoss(other)), JSON.stringify([one, other])).toBe(bitsOf(await anew(other)));
      }
    }
  });

  test("a signal that was aborted ends the call, and progress is told, after calls without", async () => {
    await calls.pairLoss({ beta: 0.3 });
    const signal = AbortSignal.abort();
    await expect(calls.pairLoss({ beta: 0.3, signal })).rejects.toThrow(
      expect.objectContaining({ name: "AbortError" }),
    );
    const onProgress = vi.fn();
    await calls.pairLoss({ beta: 0.3, onProgress });
    expect(onProgress).toHaveBeenCalled();
  });
});

describe("arrays of pairs, the caller's own", () => {
  test("are not asked for their buffers, which engines make when they are asked", async () => {
    const prototype = Object.getPrototypeOf(Uint8Array.prototype);
    const buffer = Object.getOwnPropertyDescriptor(prototype, "buffer") as PropertyDescriptor;
    let asked = 0;
    const get = function (this: Uint8Array): unknown {
      asked++;
      return buffer.get?.call(this);
    };
    // The package takes the getters of the language when it is loaded.
    vi.resetModules();
    Object.defineProperty(prototype, "buffer", { ...buffer, get });
    try {
      const { createJs, createWasm } = await import("../src/index.ts");
      const backends: Backend[] = [createJs(), await createWasm()];
      asked = 0;
      for (const backend of backends) backend.pairLoss(pairs());
      expect(asked).toBe(0);
      const [, wasm] = backends as [Backend, Backend];
      const own = await createWasm({ reserve: 1024 });
      const { buffer: memory } = own.allocate("f32", 3);
      const stray = { ...pairs(), policyChosen: new Float32Array(memory, 0, 3) };
      expect(() => wasm.pairLoss(stray)).toThrow(expect.objectContaining({ code: "overlap" }));
    } finally {
      Object.defineProperty(prototype, "buffer", buffer);
    }
  });
});
