// Every field of what a call is given is read exactly once, so that what was checked is what is used; and fields behind getters, or
// inherited, are fields.

import { describe, expect, it } from "vitest";
import { onEachBackend } from "./support/backends.ts";
import type { AnyBackend } from "./support/candidate.ts";
import { bitsOf, guardArrays, nodesOf, type SoundCall } from "./support/fuzz.ts";
import { backendCalls, plainCalls } from "./support/fuzz-calls.ts";

/** The arguments with a getter in the place of every field, and how often each of them was read. */
function counted(args: unknown[]): Map<string, number> {
  const reads = new Map<string, number>();
  for (const { holder, key, path } of [...nodesOf(args as never)]) {
    // Arguments are values; an optimiser's step is set, and looked at again; bits of half floats are looked at with each array.
    if (holder === (args as never) || /^2\.step$|\.b?f16$/.test(path)) continue;
    const value = holder[key];
    reads.set(path, 0);
    const get = (): unknown => {
      reads.set(path, (reads.get(path) ?? 0) + 1);
      return value;
    };
    Object.defineProperty(holder, key, { get, enumerable: true });
  }
  return reads;
}

/** The same with each record's fields inherited. */
function inherited(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return (value as unknown[]).map(inherited);
  // Half floats come back in the very object that they came in.
  if (prototype !== Object.prototype || "bf16" in value || "f16" in value) return value;
  return Object.create(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, inherited(inner)])));
}

async function resultOf(call: SoundCall, args: unknown[]): Promise<string> {
  return bitsOf(await call.run(args as never));
}

// What `free` is given is an array, and what adapters are given beside the batch is a tensor of another library.
const hasRecords = ({ name, make }: SoundCall): boolean =>
  !/^(ort|tf|jax|adamwState)/.test(name) &&
  make().some((each) => typeof each === "object" && !ArrayBuffer.isView(each));

function tests(calls: readonly SoundCall[]): void {
  for (const call of calls.filter(hasRecords)) {
    it(call.name, async () => {
      const plain = await resultOf(call, call.make());
      const args = call.make();
      guardArrays(args);
      const reads = counted(args);
      expect(await resultOf(call, args)).toBe(plain);
      expect([...reads].filter(([, count]) => count !== 1)).toEqual([]);
      expect(await resultOf(call, call.make().map(inherited))).toBe(plain);
    });
  }
}

onEachBackend((backend: AnyBackend, name) => {
  // That one is wrapped: the wrapper reads what it moves.
  if (name !== "pool, shared arrays") tests(backendCalls(backend, name === "js"));
  else it("is the pool again", () => expect(backend.name).toBe("pool"));
});

describe("without a backend", () => tests(plainCalls()));
