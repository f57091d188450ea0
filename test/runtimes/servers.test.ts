// The packed tarball without a page: every Node that `engines` names, Deno, Bun, one file of Bun's, a Lambda's bundle.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { conforming } from "./support/conformance.ts";
import { fromItsText, row } from "./support/matrix.ts";
import { noPinned, pinned, root } from "./support/processes.ts";
import { nodeOf, noTools, project, runIn, tool } from "./support/projects.ts";

const imports = `
  import { createBackend, createJs, createWasm } from "dpo-kernels";
  import { createPool } from "dpo-kernels/pool";
  import { conformance, errorOf } from "./conformance.js";
`;

const all = `
  const report = async () => ({
    js: await errorOf(() => conformance(createJs)),
    wasm: await errorOf(() => conformance(createWasm)),
    pairs: await errorOf(() => conformance(createBackend)),
    linear: await errorOf(() => conformance(() => createBackend({ for: "linear" }))),
    pool: await errorOf(() => conformance(() => createPool({ workers: 2 }))),
  });
`;

const files = {
  "main.js": `${imports}${all} console.log(JSON.stringify(await report()));`,
  "required.cjs": `
    const { createJs, createWasm } = require("dpo-kernels");
    const { createPool } = require("dpo-kernels/pool");
    const { conformance } = require("./conformance.js");
    (async () => {
      const pooled = () => createPool({ workers: 2 });
      const report = [];
      for (const create of [createJs, createWasm, pooled]) report.push(await conformance(create));
      console.log(JSON.stringify(report));
    })();
  `,
};

const fromFile = /^up to 2 workers: /;
const fromText = /^up to 2 workers, started from their text: no worker's file at file:/;

const sound = (pool: RegExp): unknown => ({
  js: conforming("js"),
  wasm: conforming("wasm"),
  pairs: conforming("wasm"),
  linear: expect.objectContaining({ name: expect.stringMatching(/^(pool|wasm)$/), large: expect.closeTo(Math.LN2, 5) }),
  pool: conforming("pool", pool),
});

const reportOf = async (folder: string, command: readonly string[]): Promise<unknown> =>
  JSON.parse(await runIn(folder, command));

const nodes = ["node20.0", "node20", "node22", "node24"];
const lowest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node as string;

whereThereIs("Node", noTools, () => {
  it("`engines` names Node 20, whose first release is the first one below", () => {
    expect(lowest).toBe(">=20");
  });

  for (const name of [...nodes, ""]) {
    const node = name ? nodeOf(name) : process.execPath;
    const title = `Node ${name.slice(4) || "26"}`;
    row(title, `${title}: every backend`, async () => {
      const folder = project(`node-${title}`, files);
      expect(await reportOf(folder, [node, "main.js"])).toEqual(sound(fromFile));
    });
  }

  for (const name of ["node20", "node22", "node24"]) {
    it(`${name}: require`, { timeout: 60_000 }, async () => {
      const folder = project(`require-${name}`, files);
      const report = await reportOf(folder, [nodeOf(name), "required.cjs"]);
      expect(report).toEqual([conforming("js"), conforming("wasm"), conforming("pool")]);
    });
  }

  it("Node 20.0: the command line", { timeout: 60_000 }, async () => {
    const folder = project("node-20.0-cli", {
      "pairs.jsonl": '{"policy_chosen_logps":-1,"policy_rejected_logps":-1}\n',
    });
    const cli = join(folder, "node_modules/dpo-kernels/dist/cli.js");
    const args = ["loss", "pairs.jsonl", "--reference-free", "--json"];
    expect(await reportOf(folder, [nodeOf("node20.0"), cli, ...args])).toMatchObject({
      loss: expect.closeTo(Math.LN2, 6),
    });
  });
});

for (const name of ["deno", "bun"]) {
  whereThereIs(name, noPinned(name), () => {
    const title = name === "deno" ? "Deno 2.9" : "Bun 1.4";
    row(title, "every backend", async () => {
      const folder = project(name, files);
      const args = name === "deno" ? ["run", "--allow-read", "--no-lock", "main.js"] : ["main.js"];
      expect(await reportOf(folder, [pinned(name), ...args])).toEqual(sound(fromFile));
    });
  });
}

whereThereIs("bun build --compile", noPinned("bun"), () => {
  row("bun build --compile", "every backend, in one file", async () => {
    const folder = project("bun-compile", files);
    await runIn(folder, [pinned("bun"), "build", "--compile", "main.js", "--outfile", "program"]);
    expect(await reportOf(folder, [join(folder, "program")])).toEqual(sound(fromText));
    return fromItsText;
  });
});

// As a function's bundle is made and called: one file, elsewhere than the package.
whereThereIs("AWS Lambda, bundled by esbuild", noTools, () => {
  const handler = `${imports}${all}
    export const handler = async () => ({ statusCode: 200, body: JSON.stringify(await report()) });
  `;
  describe.each(["esm", "cjs"])("%s", (format) => {
    row(`a Lambda's bundle (esbuild, ${format})`, "every backend", async () => {
      const folder = project(`lambda-${format}`, { "handler.js": handler });
      const { build } = await tool<{ build(options: object): Promise<unknown> }>("esbuild");
      const extension = format === "esm" ? "mjs" : "cjs";
      await build({
        absWorkingDir: folder,
        entryPoints: ["handler.js"],
        outfile: `out/handler.${extension}`,
        bundle: true,
        minify: true,
        platform: "node",
        target: "node20",
        format,
        logLevel: "error",
      });
      const call = `import(${JSON.stringify(`${folder}/out/handler.${extension}`)})
        .then(({ handler }) => handler({}))
        .then(({ body }) => console.log(body));`;
      const report = await reportOf(folder, [nodeOf("node22"), "--input-type=module", "--eval", call]);
      expect(report).toEqual(
        sound(format === "esm" ? fromText : /no worker's file beside this one, which does not know/),
      );
      return fromItsText;
    });
  });
});
