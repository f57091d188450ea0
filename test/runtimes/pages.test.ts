// Pages that bundlers make of the packed tarball, main entry and pool, opened in Chromium.

import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inChromium } from "./support/browsers.ts";
import { conforming } from "./support/conformance.ts";
import { fromItsText, row } from "./support/matrix.ts";
import { blocksOf, noTools, project, runIn, tool, toolFile, whileServing } from "./support/projects.ts";

const page = `
  import { createBackend, createJs, createWasm } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  import { conformance, errorOf } from "./conformance.js";
  const pooled = () => createPool({ workers: 2 }).then((pool) => pool);
  const report = {
    js: await errorOf(() => conformance(createJs)),
    wasm: await errorOf(() => conformance(createWasm)),
    pairs: await errorOf(() => conformance(createBackend)),
    pool: await errorOf(() => conformance(pooled)),
  };
  document.body.textContent = JSON.stringify(report);
  await fetch("/report", { method: "POST", body: JSON.stringify(report) }).catch(() => {});
`;

const html = (script: string): string => `<!doctype html><script type="module" src="${script}"></script>`;

const sound = (pool: RegExp): unknown => ({
  js: conforming("js"),
  wasm: conforming("wasm"),
  pairs: conforming("wasm"),
  pool: conforming("pool", pool),
});

const fromFile = /^up to 2 workers: /;
const fromText = /^up to 2 workers, started from their text: no worker's file at http:/;

/** A bundler: what it does to the folder, where the page is then, and how the pool's workers start. */
type Bundler = [name: string, build: (folder: string) => Promise<unknown>, out: string, pool: RegExp];

const webpackConfig = (folder: string) => ({
  mode: "production",
  context: folder,
  entry: "./page.js",
  output: { path: join(folder, "out"), filename: "page.js", module: true, publicPath: "auto" },
  experiments: { outputModule: true, topLevelAwait: true },
});

/** Runs a compiler of webpack's interface. */
async function compile(name: string, folder: string): Promise<void> {
  const { default: loaded } = await tool<{ default: unknown }>(name);
  const make = (typeof loaded === "function" ? loaded : (loaded as { rspack: unknown }).rspack) as (config: object) => {
    run(done: (error: unknown, stats?: { hasErrors(): boolean; toString(): string }) => void): void;
    close(done: () => void): void;
  };
  const { experiments, ...config } = webpackConfig(folder);
  const compiler = make(name === "webpack" ? { ...config, experiments } : config);
  await new Promise<void>((resolve, reject) => {
    compiler.run((error, stats) => {
      compiler.close(() => (error || stats?.hasErrors() ? reject(error ?? new Error(stats?.toString())) : resolve()));
    });
  });
  writeFileSync(join(folder, "out/index.html"), html("./page.js"));
}

const viteBuild =
  (name: string) =>
  (folder: string): Promise<string> =>
    runIn(folder, [toolFile(`${name}/bin/vite.js`), "build", "--base", "./", "--outDir", "out", "--target", "esnext"]);

const esbuild =
  (...options: string[]) =>
  async (folder: string) => {
    const { build } = await tool<{ build(options: object): Promise<unknown> }>("esbuild");
    const splitting = options.includes("splitting");
    const more = options.filter((option) => option.endsWith(".js"));
    await build({
      absWorkingDir: folder,
      entryPoints: ["page.js", ...more],
      bundle: true,
      format: "esm",
      splitting,
      outdir: "out",
      logLevel: "error",
    });
    writeFileSync(join(folder, "out/index.html"), html("./page.js"));
  };

const rollup = async (folder: string): Promise<void> => {
  const [{ rollup }, { nodeResolve }] = await Promise.all([
    tool<{ rollup(options: object): Promise<{ write(options: object): Promise<unknown> }> }>("rollup"),
    tool<{ nodeResolve(options: object): unknown }>("@rollup/plugin-node-resolve"),
  ]);
  const bundle = await rollup({
    input: join(folder, "page.js"),
    plugins: [nodeResolve({ browser: true })],
    logLevel: "silent",
  });
  await bundle.write({ dir: join(folder, "out"), format: "es" });
  writeFileSync(join(folder, "out/index.html"), html("./page.js"));
};

// A lock file makes the folder a project of its own.
const parcel = async (folder: string): Promise<void> => {
  writeFileSync(join(folder, "yarn.lock"), "");
  const args = ["build", "index.html", "--no-cache", "--dist-dir", "out", "--public-url", "./", "--no-source-maps"];
  await runIn(folder, [toolFile("parcel/lib/bin.js"), ...args]);
};

const asItStands = async (folder: string): Promise<void> => {
  const imports = { "dpo-kernels": "./dpo-kernels/index.js", "dpo-kernels/pool": "./dpo-kernels/pool.js" };
  cpSync(join(folder, "node_modules/dpo-kernels/dist"), join(folder, "dpo-kernels"), { recursive: true });
  writeFileSync(
    join(folder, "index.html"),
    `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script><script type="module" src="./page.js"></script>`,
  );
};

const bundlers: Bundler[] = [
  ["no bundler, an import map", asItStands, ".", fromFile],
  ["Vite 5.4 build", viteBuild("vite5"), "out", fromFile],
  ["Vite 6.4 build", viteBuild("vite6"), "out", fromFile],
  ["Vite 7.3 build", viteBuild("vite7"), "out", fromFile],
  ["Vite 8.3 build", viteBuild("../../../../node_modules/vite"), "out", fromFile],
  ["webpack 5", (folder) => compile("webpack", folder), "out", fromFile],
  ["Rspack 2", (folder) => compile("@rspack/core", folder), "out", fromFile],
  ["esbuild", esbuild(), "out", fromText],
  ["esbuild, with splitting", esbuild("splitting"), "out", fromText],
  ["Rollup 4", rollup, "out", fromText],
  ["Parcel 2", parcel, "out", fromFile],
];

// A worker of one's own, as docs/bundlers.md has it.
const [myWorker = "", startIt = ""] = blocksOf("docs/bundlers.md");
const ownWorker = `
  import { conformance, errorOf } from "./conformance.js";
  ${startIt}
  const report = await errorOf(() => conformance(async () => pool));
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
`;

const ownWorkerBuilders: [name: string, build: (folder: string) => Promise<unknown>][] = [
  ["Vite 7.3 build", viteBuild("vite7")],
  ["webpack 5", (folder) => compile("webpack", folder)],
  ["esbuild", esbuild("my-worker.js")],
];

const servers: [name: string, vite: string, pool: RegExp][] = [
  ["Vite 5.4 dev", "vite5", fromText],
  ["Vite 6.4 dev", "vite6", fromText],
  ["Vite 7.3 dev", "vite7", fromText],
  ["Vite 8.3 dev", "../../../../node_modules/vite", fromFile],
];

const nameOf = (title: string): string => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

suite(
  { ...inChromium, missing: inChromium.missing || noTools },
  (visit, _show, showAt) => {
    const files = { "page.js": page, "index.html": html("./page.js") };
    beforeAll(() => void project("warm", {}), 60_000);

    for (const [title, build, out, pool] of bundlers) {
      row(title, `${title}: main entry and pool`, async () => {
        const folder = project(nameOf(title), files);
        await build(folder);
        expect(await visit("index.html", {}, pathToFileURL(join(folder, out, "/")))).toEqual(sound(pool));
        return pool === fromText ? fromItsText : undefined;
      });
    }

    it.each(ownWorkerBuilders)(
      "%s: import of dpo-kernels/worker makes a worker",
      { timeout: 180_000 },
      async (title, build) => {
        const own = { ...files, "page.js": ownWorker, "my-worker.js": myWorker };
        const folder = project(`own-${nameOf(title)}`, own);
        await build(folder);
        expect(await visit("index.html", {}, pathToFileURL(join(folder, "out/")))).toEqual(
          conforming("pool", fromFile),
        );
      },
    );

    for (const [title, vite, pool] of servers) {
      row(title, `${title}: main entry and pool`, async () => {
        const folder = project(nameOf(title), files);
        const report = await whileServing(
          folder,
          (port) => [toolFile(`${vite}/bin/vite.js`), "--port", String(port), "--strictPort", "--host", "127.0.0.1"],
          async (url) => JSON.parse(await showAt(url, /\}$/)),
        );
        expect(report).toEqual(sound(pool));
        return pool === fromText ? fromItsText : undefined;
      });
    }
  },
  60_000,
);
