// What headers forbid, the same in every browser: a call that cannot go on rejects at once, and says what it needs.

import { expect, it } from "vitest";
import type { Visit } from "./browser-suite.ts";
import { type Headers, isolation, policy } from "./server.ts";

const PAGE = "test/runtimes/small.html";
const done = { loss: expect.closeTo(Math.LN2, 6) };
const workerError = { name: "WorkerError", code: "worker-failed" };

const wasm = policy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'");
const noWasm = policy("default-src 'self'; script-src 'self'; worker-src 'self'");
const noWorkers = policy("default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'");

/** Headers of the worker's file, and of all others. */
const unlike =
  (worker: Headers, others: Headers) =>
  (path: string): Headers =>
    path.endsWith("/worker.js") ? worker : others;

/** `compiles`: whether a worker gets to run a module that its own file's policy would not let it compile. */
export function headerCases(visit: Visit, compiles: boolean): void {
  it("a policy that allows WebAssembly and workers of the page's own origin is enough", async () => {
    expect(await visit(PAGE, wasm)).toEqual(done);
  });

  it("a policy that forbids workers rejects the call", async () => {
    expect(await visit(PAGE, noWorkers)).toMatchObject(workerError);
  });

  it(`a policy of the worker's file alone that forbids WebAssembly ${compiles ? "changes nothing" : "rejects the call"}`, async () => {
    expect(await visit(PAGE, unlike(noWasm, wasm))).toMatchObject(
      compiles ? done : { message: expect.stringMatching(/wasm-unsafe-eval/), code: expect.any(String) },
    );
  });

  it("an isolated page whose worker's file comes without the headers rejects the call", async () => {
    expect(await visit(PAGE, unlike({}, isolation))).toMatchObject(workerError);
  });

  it("credentialless isolation is enough", async () => {
    expect(await visit(PAGE, { ...isolation, "Cross-Origin-Embedder-Policy": "credentialless" })).toEqual(done);
  });
}

/** Of browsers that refuse to compile; WebKit compiles and refuses to instantiate. */
export function refusalCase(visit: Visit): void {
  it("createPool says so where the policy does not allow WebAssembly", async () => {
    const unavailable = {
      name: "BackendError",
      code: "unavailable",
      message: expect.stringMatching(/wasm-unsafe-eval/),
    };
    expect(await visit(PAGE, noWasm)).toMatchObject(unavailable);
  });
}
