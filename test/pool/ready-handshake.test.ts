// A worker is asked for nothing before it has said that it is ready, and it fetches nothing: its module comes with the handshake.

import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { deflated } from "../../src/kernels/kernels.gen.ts";
import type { NodeWorker } from "../../src/pool.ts";
import { unrulyWorkers } from "./support/orders.ts";
import { poolOf, small, wasm } from "./support/pools.ts";

/** The worker, with a record of what passes between it and the pool. */
function watched(worker: NodeWorker, seen: { direction: "to" | "from"; message: unknown }[]): NodeWorker {
  const post = worker.postMessage.bind(worker);
  worker.on("message", (message) => seen.push({ direction: "from", message }));
  worker.postMessage = (message, transfer) => {
    seen.push({ direction: "to", message });
    post(message, transfer);
  };
  return worker;
}

const pathOf = (message: unknown): string => String((message as { path?: string[] }).path);

describe("the handshake", () => {
  it.each(["shared", "transfer"] as const)("comes first, carries the module, and is waited for: %s", async (memory) => {
    const seen: { direction: "to" | "from"; message: unknown }[] = [];
    const { createWorker } = unrulyWorkers();
    const pool = await poolOf({ workers: 1, memory, createWorker: () => watched(createWorker(), seen) });
    await Promise.all([pool.logitsLoss(small), pool.logitsLoss(small)]);
    expect(pathOf(seen[0]?.message)).toBe("start");
    expect(JSON.stringify(Object.keys(argument(seen[0]?.message)))).toContain("module");
    expect(argument(seen[0]?.message)["module"]).toBeInstanceOf(WebAssembly.Module);
    // The second message is the worker's answer: nothing else was asked of it meanwhile.
    expect(seen.slice(0, 3).map(({ direction }) => direction)).toEqual(["to", "from", "to"]);
    expect(seen.filter(({ message }) => pathOf(message) === "start")).toHaveLength(1);
  });

  it("a module of the caller's own is what workers get", async () => {
    const seen: { direction: "to" | "from"; message: unknown }[] = [];
    const { createWorker } = unrulyWorkers();
    const module = await WebAssembly.compile(inflateSync(Buffer.from(deflated, "base64")));
    const own = { module, memory: "transfer", createWorker: () => watched(createWorker(), seen) } as const;
    const pool = await poolOf(own);
    expect((await pool.logitsLoss(small)).loss).toBe(wasm.logitsLoss(small).loss);
    expect(argument(seen[0]?.message)["module"]).toBe(module);
  });
});

/** The first argument of a call as comlink sends it. */
function argument(message: unknown): Record<string, unknown> {
  const { argumentList } = message as { argumentList: { value: Record<string, unknown> }[] };
  return argumentList[0]?.value ?? {};
}
