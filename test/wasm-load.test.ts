// The ways of handing over the module, and the memory that it claims for itself.

import { inflateSync } from "node:zlib";
import { expect, test, vi } from "vitest";
import { createBackend, createWasm } from "../src/index.ts";
import { deflated as plain } from "../src/kernels/kernels.gen.ts";
import { deflated as relaxed } from "../src/kernels/kernels-relaxed.gen.ts";
import { instantiate, OWN_SCRATCH, STATIC_BYTES } from "../src/kernels/load.ts";

const bytes = inflateSync(Buffer.from(plain, "base64"));
const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
const pairs = { policyChosen: f32(-1), policyRejected: f32(-2), referenceChosen: f32(-2), referenceRejected: f32(-2) };

test.each([
  ["bytes", () => bytes],
  ["an ArrayBuffer", () => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)],
  ["a compiled module", () => new WebAssembly.Module(bytes)],
  ["a promise of a module", () => WebAssembly.compile(bytes)],
  ["a Response", () => new Response(bytes)],
])("createWasm takes %s", async (_name, module) => {
  const wasm = await createWasm({ module: module() });
  expect(wasm.reason).toContain("the module given");
  expect(wasm.pairLoss(pairs, { beta: 1 }).loss).toBeCloseTo(Math.log1p(Math.exp(-1)), 6);
});

test.each([
  ["plain", plain],
  ["relaxed", relaxed],
])("the %s module's constants and scratch memory keep within the first page", (_name, deflated) => {
  const module = new WebAssembly.Module(inflateSync(Buffer.from(deflated, "base64")));
  const { HEAP_BASE, SCRATCH_BYTES } = instantiate(module, new WebAssembly.Memory({ initial: 1, maximum: 1 }));
  expect(HEAP_BASE.value).toBeLessThanOrEqual(OWN_SCRATCH);
  expect(OWN_SCRATCH + SCRATCH_BYTES.value).toBeLessThanOrEqual(STATIC_BYTES);
});

test("createBackend falls back to plain JavaScript where compiling is forbidden, and says why", async () => {
  const { compile } = WebAssembly;
  WebAssembly.compile = () => Promise.reject(new Error("forbidden by policy"));
  try {
    const backend = await createBackend({ for: "pairs" });
    expect([backend.name, backend.reason]).toEqual(["js", expect.stringContaining("forbidden by policy")]);
    await expect(createWasm()).rejects.toMatchObject({ name: "BackendError", code: "unavailable" });
  } finally {
    WebAssembly.compile = compile;
  }
});

test("what an engine lacks is said as it is, not as a failure to compile", async () => {
  const validate = vi.spyOn(WebAssembly, "validate");
  const refusalOf = (options?: object) =>
    createWasm(options).then(
      () => undefined,
      ({ code, message }) => ({ code, message }),
    );
  try {
    // As Node 20: the probe of relaxed SIMD has f32x4.relaxed_madd, 133.
    validate.mockImplementation((probe) => !(probe as Uint8Array).includes(133));
    expect(await refusalOf({ relaxed: true })).toEqual({
      code: "unavailable",
      message:
        "wasm: this engine has no relaxed SIMD, or has it behind a flag; leave relaxed out for the plain kernels",
    });
    expect((await createWasm()).reason).toBe("WebAssembly in this thread: SIMD");
    expect((await createWasm({ module: bytes, relaxed: true })).reason).toContain("the module given");
    validate.mockReturnValue(false);
    const message = "wasm: this engine has no WebAssembly SIMD; use createJs()";
    for (const options of [undefined, { relaxed: true }, { module: bytes }]) {
      expect(await refusalOf(options)).toEqual({ code: "unavailable", message });
    }
    const backend = await createBackend({ for: "pairs" });
    expect([backend.name, backend.reason]).toEqual(["js", `plain JavaScript: ${message}`]);
  } finally {
    validate.mockRestore();
  }
});
