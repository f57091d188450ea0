// What is fuzzed: each backend, the calls that need none, the factories.

import { breakEven } from "../../src/backends/pool/break-even.ts";
import { createJs, createWasm } from "../../src/index.ts";
import { builtInBytes, compile } from "../../src/kernels/built-in.ts";
import { createPool } from "../../src/pool.ts";
import type { AsyncBackend, Backend } from "../../src/types.ts";
import { type Fuzzed, fuzz, type SoundCall } from "./fuzz.ts";
import { backendCalls, factoryCalls, plainCalls } from "./fuzz-calls.ts";

export interface Fuzzer {
  readonly name: string;
  /** How many of the calls, in parts. */
  readonly share: number;
  /** Hostile calls `from` .. `to` − 1 of a seed. */
  readonly run: (seed: number, from: number, to: number) => Promise<Fuzzed>;
}

// The batches are small: the calling thread would compute them itself.
Object.assign(breakEven, { logits: 0, products: 0, sharedPairs: 1, sortedPairs: 1 });

const RESERVE = 1 << 16;

function onBackend(name: string, share: number, create: () => Promise<Backend | AsyncBackend>): Fuzzer {
  return {
    name,
    share,
    async run(seed, from, to) {
      const backend = await create();
      try {
        const held = backend.allocate("f32", 64) as Float32Array<ArrayBuffer>;
        return await fuzz(name, backendCalls(backend, name === "js"), held, seed, from, to);
      } finally {
        await backend.dispose();
      }
    },
  };
}

const withoutBackend = (name: string, share: number, calls: () => Promise<readonly SoundCall[]>): Fuzzer => ({
  name,
  share,
  run: async (seed, from, to) => fuzz(name, await calls(), new Float32Array(64), seed, from, to),
});

const pool = (memory: "shared" | "transfer") => () => createPool({ workers: 2, memory, relaxed: false });

export const fuzzers: readonly Fuzzer[] = [
  onBackend("js", 1, async () => createJs()),
  onBackend("wasm", 1, () => createWasm({ relaxed: true, reserve: RESERVE })),
  onBackend("plain wasm", 1, () => createWasm({ relaxed: false, reserve: RESERVE })),
  onBackend("pool, shared", 0.5, pool("shared")),
  onBackend("pool, transfer", 0.5, pool("transfer")),
  withoutBackend("without a backend", 1, async () => plainCalls()),
  withoutBackend("factories", 0.1, async () => factoryCalls(await compile(await builtInBytes(false)))),
];
