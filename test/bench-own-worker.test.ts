// A library that puts another Worker in the place of the runtime's, as ONNX Runtime does, does not keep it there: our pools are made of it.

import { expect, it } from "vitest";
import { tinyCases } from "./support/bench-cases.ts";

it("ONNX Runtime", async () => {
  class Own {}
  Object.defineProperty(globalThis, "Worker", { value: Own, configurable: true, writable: true });
  const { createPeers } = await import("../src/bench/peers/index.ts");
  const { candidates } = await createPeers(["onnxruntime-web"]);
  const [work] = tinyCases();
  const opened = work && (await candidates[0]?.open(work, work.prepare()));
  expect(opened).toBeDefined();
  expect(globalThis.Worker).toBe(Own);
  await opened?.close?.();
});
