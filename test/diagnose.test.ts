// What diagnose says of this place, and of places that lack something.

import { afterEach, describe, expect, test, vi } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { diagnoseAtEdge } from "../src/diagnose/edge.ts";
import { placeOf } from "../src/diagnose/place.ts";
import { diagnose } from "../src/diagnose.ts";
import { createBackend, createWasm } from "../src/index.ts";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("in Node all that needs no GPU runs", async () => {
  const report = await diagnose();
  expect(report).toMatchObject({
    version: packageJson.version,
    runtime: expect.stringMatching(/^Node \d+\.\d+\.\d+, V8 /),
    platform: `${process.platform} ${process.arch}`,
    ...{ simd: true, relaxedSimd: true, sharedArrayBuffer: true, threads: true, float16Array: true },
    chosen: "wasm",
  });
  expect(report).not.toHaveProperty("noCompile");
  expect(report.backends.map(({ backend }) => backend)).toEqual([
    "wasm, relaxed SIMD",
    "wasm, SIMD",
    "js",
    "pool",
    "webgpu",
  ]);
  expect(report.backends.slice(0, 4).filter(({ runs }) => !runs)).toEqual([]);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

test("where bytes may not be compiled, plain JavaScript runs, and the reason is theirs", async () => {
  const no = (): never => {
    throw new WebAssembly.CompileError("Wasm code generation disallowed by embedder");
  };
  vi.spyOn(WebAssembly, "compile").mockImplementation(no);
  const report = await diagnoseAtEdge(createBackend, createWasm);
  expect(report).toMatchObject({ chosen: "js", noCompile: "Wasm code generation disallowed by embedder" });
  const running = report.backends.filter(({ runs }) => runs).map(({ backend }) => backend);
  expect(running).toEqual(["js"]);
  for (const { runs, reason } of report.backends)
    if (!runs) expect(reason).toMatch(/disallowed by embedder|pool: |webgpu: /);
});

describe("where there is no WebAssembly at all", () => {
  test("plain JavaScript runs", async () => {
    vi.stubGlobal("WebAssembly", undefined);
    const report = await diagnoseAtEdge(createBackend, createWasm);
    expect(report).toMatchObject({ simd: false, relaxedSimd: false, threads: false, chosen: "js" });
    expect(report.noCompile).toEqual(expect.any(String));
  });
});

test("a backend that gives a wrong number does not run", async () => {
  const wrong = async () => {
    const wasm = await createWasm();
    return { ...wasm, pairLoss: () => ({ ...wasm.pairLoss(zero), loss: 1 }) };
  };
  const zero = Object.fromEntries(
    ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"].map((name) => [
      name,
      new Float32Array(1),
    ]),
  ) as unknown as Parameters<Awaited<ReturnType<typeof createWasm>>["pairLoss"]>[0];
  const { backends } = await diagnoseAtEdge(createBackend, wrong);
  const reason = expect.stringMatching(/^gives a wrong number: expected 1\.27\d+, got 1$/);
  expect(backends).toContainEqual({ backend: "wasm, SIMD", runs: false, reason });
});

test.each<[globals: Record<string, unknown>, runtime: string]>([
  [{ navigator: { userAgent: "Cloudflare-Workers" } }, "Cloudflare Workers"],
  [{ navigator: undefined, EdgeRuntime: "edge-runtime", process: undefined }, "Vercel's edge runtime (edge-runtime)"],
  [{ navigator: undefined, process: { versions: { bun: "1.4.4", node: "24.0.0" } } }, "Bun 1.4.4"],
  [
    { navigator: undefined, process: { versions: { deno: "2.9.6", v8: "14.6", node: "24.0.0" } } },
    "Deno 2.9.6, V8 14.6",
  ],
  [{ navigator: { userAgent: "Mozilla/5.0 …" }, process: undefined }, "Mozilla/5.0 …"],
  [{ navigator: undefined, process: undefined }, "a runtime that does not say its name"],
])("%j is called %s", (globals, runtime) => {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
  const place = placeOf();
  vi.unstubAllGlobals();
  expect(place.runtime).toBe(runtime);
});
