// Cloudflare Workers: what wrangler bundles, in workerd.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { conforming } from "./support/conformance.ts";
import { row } from "./support/matrix.ts";
import { blocksOf, noTools, project, runIn, toolFile, whileServing } from "./support/projects.ts";

const wrangler = toolFile("wrangler/bin/wrangler.js");

const config = (more: object): string =>
  JSON.stringify({ name: "losses", main: "worker.js", compatibility_date: "2026-11-01", ...more });

// As the documentation has it, and no more.
const [small = ""] = blocksOf("docs/edge.md");

const everything = `
  import { createBackend, createJs, createWasm } from "dpo-kernels";
  import relaxed from "dpo-kernels/kernels-relaxed.wasm";
  import { createPool } from "dpo-kernels/pool";
  import { conformance, errorOf } from "./conformance.js";
  export default {
    async fetch() {
      const said = async (options) => {
        const { name, reason } = await createBackend(options);
        return { name, reason };
      };
      return Response.json({
        js: await conformance(createJs),
        wasm: await conformance(createWasm),
        relaxed: await conformance(() => createWasm({ module: relaxed })),
        pairs: await said(),
        logits: await said({ for: "logits" }),
        linear: await said({ for: "linear" }),
        pool: await errorOf(() => createPool({ workers: 2 })),
        bytes: await errorOf(() => createWasm({ module: new Uint8Array(8) })),
        relaxedBuiltIn: await errorOf(() => createWasm({ relaxed: true })),
      });
    },
  };
`;

const worker = (name: string, code: string, more: object = {}): string =>
  project(name, { "worker.js": code, "wrangler.json": config(more) });

/** What it answers in workerd, as wrangler's own server bundles and starts it. */
const answerOf = (folder: string, request?: RequestInit): Promise<unknown> =>
  whileServing(
    folder,
    (port) => [wrangler, "dev", "--port", String(port), "--ip", "127.0.0.1", "--inspector-port", "0", "--local"],
    async (url) => (await fetch(url, request)).json(),
  );

whereThereIs("Cloudflare Workers (wrangler, workerd)", noTools, () => {
  let smallest = "";
  beforeAll(() => {
    smallest = worker("workerd-small", small);
  }, 60_000);

  it("what docs/edge.md shows works as it stands", { timeout: 180_000 }, async () => {
    const body = JSON.stringify({
      policyChosen: [-3],
      policyRejected: [-4],
      referenceChosen: [-3],
      referenceRejected: [-4],
    });
    expect(await answerOf(smallest, { method: "POST", body })).toEqual({
      loss: expect.closeTo(Math.LN2, 6),
      metrics: expect.objectContaining({ "rewards/accuracies": 0 }),
      backend: "WebAssembly in this thread: SIMD",
    });
  });

  // 45 KB is the aim, and was so until the losses of rows and the CPO family came in: kernels of 17 KB in place of 11, faster ones,
  // and what reads and checks them.
  it.each([
    ["its script", /\.js$/, {}, 41.25],
    ["its script without names of functions", /\.js$/, { keep_names: false }, 38],
    ["all of it", /\.(js|wasm)$/, {}, 57.75],
  ])("a Worker with createWasm and pair losses, gzip: %s", async (_what, which, more, limit) => {
    writeFileSync(join(smallest, "wrangler.json"), config(more));
    await runIn(smallest, [wrangler, "deploy", "--dry-run", "--outdir", "out", "--minify"]);
    const out = join(smallest, "out");
    const files = readdirSync(out);
    expect(files.filter((file) => file.endsWith(".wasm"))).toHaveLength(1);
    const sizes = files
      .filter((file) => which.test(file))
      .map((file) => gzipSync(readFileSync(join(out, file))).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(limit * 1024);
  });

  const flagged: string[][] = [[], ["nodejs_compat"]];
  for (const flags of flagged) {
    row(`Cloudflare Workers${flags.map((flag) => `, ${flag}`)}`, `every backend, ${flags}`, async () => {
      const folder = worker(`workerd-all${flags}`, everything, { compatibility_flags: flags });
      const here = { name: "wasm", reason: "WebAssembly in this thread: SIMD" };
      const unavailable = (message: RegExp) => ({
        name: "BackendError",
        code: "unavailable",
        message: expect.stringMatching(message),
      });
      expect(await answerOf(folder)).toEqual({
        js: conforming("js"),
        wasm: conforming("wasm", /SIMD$/),
        relaxed: conforming("wasm", /the module given/),
        pairs: here,
        logits: here,
        linear: here,
        pool: unavailable(/^pool: .* use createWasm\(\)/),
        bytes: unavailable(/compiles no bytes: import module from "dpo-kernels\/kernels.wasm"/),
        relaxedBuiltIn: unavailable(/kernels-relaxed\.wasm/),
      });
      return { pool: "refuses at creation" };
    });
  }
});
