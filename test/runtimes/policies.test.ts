// Pages of the packed tarball as it is, without a bundler, under strict content policies, in three browsers.

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { type BrowserKind, inChromium, inFirefox, inWebKit } from "./support/browsers.ts";
import { conforming } from "./support/conformance.ts";
import { noTools, project } from "./support/projects.ts";
import { isolation, policy } from "./support/server.ts";

const page = `
  import { createBackend, createJs, createWasm } from "./dpo-kernels/index.js";
  import { createPool } from "./dpo-kernels/pool.js";
  import { conformance, errorOf } from "./conformance.js";
  let pool;
  const pooled = async () => (pool = await createPool({ workers: 1 }));
  const report = {
    js: await errorOf(() => conformance(createJs)),
    wasm: await errorOf(() => conformance(createWasm)),
    pairs: await errorOf(() => conformance(createBackend)),
    linear: await errorOf(() => conformance(() => createBackend({ for: "linear" }))),
    pool: await errorOf(() => conformance(pooled)),
  };
  await fetch("/report", { method: "POST", body: JSON.stringify({ ...report, poolReason: pool?.reason ?? "" }) });
`;

const files = {
  "page.js": page,
  "index.html": '<!doctype html><meta charset="utf-8"><script type="module" src="page.js"></script>',
};

/** The folder of the page, with the package's files beside it. */
function site(name: string): URL {
  const folder = project(name, files);
  cpSync(join(folder, "node_modules/dpo-kernels/dist"), join(folder, "dpo-kernels"), { recursive: true });
  return pathToFileURL(join(folder, "/"));
}

const base = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/** What a page reports that has all but workers; with them where `pool` says how they start. */
const sound = (pool?: RegExp): unknown => ({
  js: conforming("js"),
  wasm: conforming("wasm"),
  pairs: conforming("wasm"),
  // Shared memory makes two workers worth it, which WebKitGTK does not have.
  linear: expect.objectContaining({ name: expect.stringMatching(pool ? /^(pool|wasm)$/ : /^wasm$/) }),
  pool: pool ? conforming("pool", pool) : failed,
  poolReason: expect.stringMatching(pool ?? /^up to 1 workers, none of which starts: worker: .*([Pp]olicy|insecure)/),
});

const failed = expect.objectContaining({ name: "WorkerError", code: "worker-failed" });
const unavailable = expect.objectContaining({
  name: "BackendError",
  code: "unavailable",
  message: expect.stringMatching(/wasm-unsafe-eval/),
});

const fromFile = /^up to 1 workers: /;

/** `sharing`: whether isolated pages share memory there. */
function policies(kind: BrowserKind, sharing: boolean): void {
  suite({ ...kind, missing: kind.missing || noTools }, (visit) => {
    let whole: URL;
    let withoutWorker: URL;
    beforeAll(() => {
      whole = site(`policies-${kind.name}`);
      withoutWorker = site(`policies-no-file-${kind.name}`);
      rmSync(new URL("dpo-kernels/worker.js", withoutWorker));
    }, 60_000);

    const report = async (text: string, root: URL): Promise<Record<string, { reason: string }>> =>
      (await visit("index.html", { ...isolation, ...policy(text) }, root)) as Record<string, { reason: string }>;

    it("wasm-unsafe-eval and workers of the page's own origin: everything", async () => {
      expect(await report(`${base}; worker-src 'self'`, whole)).toEqual(sound(fromFile));
    });

    it("without wasm-unsafe-eval: JavaScript, and the reason", async () => {
      const js = conforming("js", /^plain JavaScript: .*wasm-unsafe-eval/);
      expect(await report("default-src 'self'; script-src 'self'; worker-src 'self'", whole)).toEqual({
        ...{ js: conforming("js"), wasm: unavailable, pairs: js, linear: js, pool: unavailable, poolReason: "" },
      });
    });

    it("without workers: createBackend stays in this thread, and the pool says why", async () => {
      const found = await report(`${base}; worker-src 'none'`, whole);
      expect(found).toEqual(sound());
      if (sharing) expect(found["linear"]?.reason).toMatch(/^WebAssembly in this thread: .*; pool: no worker starts: /);
    });

    it("without the worker's file, where Blobs may be workers: from its text", async () => {
      expect(await report(`${base}; worker-src 'self' blob:`, withoutWorker)).toEqual(sound(/started from their text/));
    });

    it("without the worker's file, where they may not: the pool says why", async () => {
      expect(await report(`${base}; worker-src 'self'`, withoutWorker)).toEqual(sound());
    });

    it.each(["", "; trusted-types dpo-kernels"])("trusted types%s: everything", async (allowed) => {
      const text = `${base}; worker-src 'self' blob:; require-trusted-types-for 'script'${allowed}`;
      expect(await report(text, whole)).toEqual(sound(fromFile));
      expect(await report(text, withoutWorker)).toEqual(sound(/started from their text/));
    });

    it("trusted types, none of them allowed: the pool says why", async () => {
      const text = `${base}; worker-src 'self' blob:; require-trusted-types-for 'script'; trusted-types 'none'`;
      expect(await report(text, whole)).toEqual(sound());
    });
  }, 60_000);
}

policies(inChromium, true);
policies(inFirefox, true);
policies(inWebKit, false);
