// Pages that bundlers made of the installed package: does the worker's file come along, and is it found? The results run in
// Chromium. Vite comes with vitest and rolldown with tsdown.

import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { build } from "vite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inChromium } from "./support/browsers.ts";
import { root } from "./support/processes.ts";

const program = (options: string): string => `
  import { createPool } from "dpo-kernels/pool";
  const call = async () => {
    const pool = await createPool(${options});
    const [rows, vocab] = [64, 32_000];
    const tokens = { pairs: 1, offsets: Int32Array.of(0, rows / 2, rows), targets: new Int32Array(rows) };
    const batch = { tokens, vocab, logits: new Float32Array(rows * vocab), reference: { logps: new Float64Array(2) } };
    const { loss } = await pool.logitsLoss(batch, { lossType: "sigmoid" });
    await pool.dispose();
    return { loss };
  };
  const report = await call().catch(({ name, message }) => ({ name, message }));
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
`;

const ownWorker = `{
  workers: 2,
  createWorker: () => new Worker(new URL("dpo-kernels/worker", import.meta.url), { type: "module" }),
}`;

const done = { loss: expect.closeTo(Math.LN2, 6) };

suite(inChromium, (visit) => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "dpo-kernels-bundle-"));
    for (const path of ["package.json", "dist"]) {
      cpSync(join(root, path), join(folder, "node_modules/dpo-kernels", path), { recursive: true });
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    for (const [name, options] of Object.entries({ plain: "{ workers: 2 }", own: ownWorker })) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "page.js"), program(options));
      writeFileSync(join(folder, name, "index.html"), '<!doctype html><script type="module" src="./page.js"></script>');
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const visitBuilt = (from: string) => visit("index.html", {}, pathToFileURL(join(folder, from, "/")));

  it.each(["plain", "own"])("Vite takes the worker's file along: %s", async (name) => {
    const settings = { configFile: false, logLevel: "error", base: "./" } as const;
    await build({ ...settings, root: join(folder, name), build: { outDir: "../vite", emptyOutDir: true } });
    expect(await visitBuilt("vite")).toEqual(done);
  });

  // As in esbuild, `new URL` is left as it stands, and there is no file where it points: the workers start from their text.
  it("rolldown leaves the worker's file behind, which the pool does without", async () => {
    const bundle = await rolldown({ input: join(folder, "plain/page.js"), platform: "browser" });
    await bundle.write({ dir: join(folder, "rolldown") });
    cpSync(join(folder, "plain/index.html"), join(folder, "rolldown/index.html"));
    expect(await visitBuilt("rolldown")).toEqual(done);
  });

  it("rolldown takes the worker's file along where new URL(…) names assets", async () => {
    const experimental = { resolveNewUrlToAsset: true };
    const bundle = await rolldown({ input: join(folder, "own/page.js"), platform: "browser", experimental });
    await bundle.write({ dir: join(folder, "assets") });
    cpSync(join(folder, "own/index.html"), join(folder, "assets/index.html"));
    expect(await visitBuilt("assets")).toEqual(done);
  });
});
