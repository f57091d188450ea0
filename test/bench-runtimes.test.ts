// Launching a benchmark elsewhere: what a runtime that is missing, fails, ends or falls silent comes to, and who is let in by the server.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Order, Report } from "../src/bench/remote.ts";
import type { BenchResult } from "../src/bench/types.ts";
import { findPeers } from "../src/cli/bench/find-peers.ts";
import {
  chooseRuntimes,
  type Patience,
  type Run,
  type Runtime,
  runEverywhere,
  runIn,
  totalOf,
} from "../src/cli/bench/runtimes.ts";
import { type BenchServer, startServer } from "../src/cli/bench/serve.ts";

let folder = "";
let server: BenchServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dpo-kernels-"));
  mkdirSync(join(folder, "dist"));
  writeFileSync(join(folder, "secret.txt"), "secret");
  writeFileSync(join(folder, "dist/bench.html"), '<!doctype html><script type="module" src="bench-page.js"></script>');
  writeFileSync(join(folder, "dist/some.js"), "export {};");
  install("@tensorflow/tfjs-core", { main: "dist/tf-core.node.js" });
  install("@jax-js/jax", { exports: { ".": { import: "./dist/index.js", require: "./dist/index.cjs" } } });
  server = await startServer({ dist: join(folder, "dist"), peers: findPeers(folder) });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function install(name: string, manifest: object): void {
  const at = join(folder, "node_modules", name);
  mkdirSync(join(at, "dist"), { recursive: true });
  writeFileSync(join(at, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(at, "dist/index.js"), "export {};");
}

/** A program that stands for a runtime: it gets flags, the script, and the address of the run. */
function program(name: string, body: string): string {
  const file = join(folder, name);
  const code = `const address = process.argv.at(-1);
    const report = (said) => fetch(address + "/report", { method: "POST", body: JSON.stringify(said) });
    ${body}`;
  writeFileSync(
    file,
    `#!${process.execPath}\nif (process.argv[2] === "--version") console.log("v1.2.3"); else (async () => {${code}})();\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

const result: BenchResult = {
  schema: 1,
  date: "2026-11-30T00:00:00.000Z",
  machine: { cpu: "", cores: 0, platform: "" },
  runtime: { name: "node", version: "", clockStep: 0.001 },
  versions: {},
  settings: { quick: true, seed: 1, rounds: 1 },
  limits: { bandwidth: 1, plain: 1 },
  figures: [],
  skipped: [],
  notes: [],
};
const order: Order = { options: { quick: true, cases: ["pairs/sigmoid/8"] }, peers: {} };

const launch = (file: string, patience?: Patience, seen: unknown[] = []): Promise<Run> =>
  runIn({ name: "node", program: file }, server, folder, order, (progress) => seen.push(progress), patience);

describe("a run in another process", () => {
  test("gets its order, tells how far it is, and its result says of the machine what only the command knows", async () => {
    const file = program(
      "good",
      `const { options } = await (await fetch(address + "/order")).json();
       await report({ progress: { case: options.cases[0], done: 0.5 } });
       await report({ result: ${JSON.stringify(result)} });`,
    );
    const seen: unknown[] = [];
    const {
      result: { machine, runtime },
      isWhole,
    } = await launch(file, undefined, seen);
    expect(isWhole).toBe(true);
    expect(seen).toEqual([{ case: "pairs/sigmoid/8", done: 0.5 }]);
    expect(runtime.version).toBe("1.2.3");
    expect(machine.platform).toBe(`${process.platform} ${process.arch}`);
    expect(machine.cores).toBeGreaterThan(0);
  });

  test("that fails says why", async () => {
    await expect(launch(program("failing", 'await report({ failure: "Error: no SIMD" });'))).rejects.toThrow(
      "Error: no SIMD",
    );
  });

  test("that ends early gives its status and last words", async () => {
    const file = program("ending", 'console.error("no such flag"); process.exit(3);');
    await expect(launch(file)).rejects.toThrow(/ended with status 3: no such flag$/);
  });

  test("that falls silent is given up, and ended", async () => {
    const left = join(folder, "alive");
    const file = program(
      "silent",
      `require("node:fs").writeFileSync(${JSON.stringify(left)}, String(process.pid));
       setInterval(() => {}, 1000);`,
    );
    // Within which a busy machine has started it.
    const patience = { untilItStarts: 10_000, betweenWords: 100 };
    await expect(launch(file, patience)).rejects.toThrow("no word from it for 10 s");
    expect(existsSync(left)).toBe(true);
    expect(() => process.kill(Number(readFileSync(left, "utf8")), 0)).toThrow("ESRCH");
  });
});

describe("what a run has measured is kept", () => {
  const told = `const soFar = ${JSON.stringify({ ...result, notes: ["a note"] })};
    await report({ soFar });
    await report({ progress: { case: "pairs/ipo/8", done: 0.6, candidate: "some-library" } });
    await report({ progress: { case: "pairs/ipo/8", done: 0.7 } });`;
  test.each([
    ["falls silent", "setInterval(() => {}, 1000);", /no word from it for 3 s/],
    ["ends early", 'console.error("out of memory"); process.exit(3);', /ended with status 3: out of memory/],
    ["fails", 'await report({ failure: "Error: no memory" });', /Error: no memory/],
  ])("where it %s, and it says which candidate that was with", async (name, body, why) => {
    const patience = { untilItStarts: 30_000, betweenWords: 3000 };
    const { result, isWhole } = await launch(program(name.replace(" ", "-"), told + body), patience);
    const { skipped, notes } = result;
    expect(isWhole).toBe(false);
    expect(skipped).toEqual([{ case: "pairs/ipo/8", candidate: "some-library", why: expect.stringMatching(why) }]);
    expect(notes[0]).toBe("a note");
    expect(notes[1]).toMatch(/^the run did not come to its end, and lacks what comes after pairs\/ipo\/8: /);
  });
});

describe("the time of each runtime", () => {
  test.each([
    ["is its own where there is enough", { quick: true }, 0, 2, 9000],
    ["is a part of what all have", { quick: true }, 0, 19, 5000],
    ["is a part of what those before have left", { quick: true }, 75_000, 4, 5000],
    ["is longer for a whole run", { quick: false }, 0, 9, 100_000],
    ["is next to none where they have taken all", {}, 1e9, 1, 1],
    ["has no end where cases are named", { cases: ["pairs/sigmoid/8"] }, 0, 1, undefined],
  ])("%s", (_, options, spent, ahead, total) => {
    expect(totalOf(options, spent, ahead)).toBe(total);
  });
});

describe("runtimes", () => {
  test("are those of --runtimes, by file where one is given", () => {
    const node = process.execPath;
    expect(chooseRuntimes(`node, node=${node}`)).toEqual([
      { name: "node", label: "node", program: node, isNamed: true },
      { name: "node", label: `node (${node})`, program: node, isNamed: true },
    ]);
  });

  test("of all, those that are given by their file are taken from there; Nodes are more than one", () => {
    const node = process.execPath;
    const chosen = chooseRuntimes(`all,bun=${node},node=${node}`).map(({ label, isNamed }) => [label, isNamed]);
    const found = ["node", "deno", "chromium", "firefox", "webkit", "workerd"].map((name) => [name, false]);
    expect(chosen).toEqual([...found, [`bun (${node})`, true], [`node (${node})`, true]]);
  });

  test.each([
    ["safari", /^--runtimes: expected all, node, deno, bun, chromium, firefox, webkit, workerd, .* got safari$/],
    ["node=/no/such/file", /^--runtimes: node: no program at \/no\/such\/file$/],
  ])("%s is refused", (given, message) => {
    expect(() => chooseRuntimes(given)).toThrow(message);
  });

  const everywhere = (runtimes: Runtime[], results: unknown[] = [], notes: string[] = []) =>
    runEverywhere(runtimes, server, folder, order, {
      start() {},
      progress() {},
      end() {},
      note: (text) => void notes.push(text),
      result: (one) => void results.push(one),
    });

  test("one that is missing or fails is a note, and those after it run", async () => {
    const works = program("works", `await report({ result: ${JSON.stringify(result)} });`);
    const fails = program("fails", 'await report({ failure: "Error: out of memory" });');
    const results: unknown[] = [];
    const given: Runtime[] = [
      { name: "firefox", label: "firefox", program: undefined, isNamed: false },
      { name: "node", label: "node (fails)", program: fails, isNamed: false },
      { name: "node", label: "node", program: works, isNamed: true },
    ];
    const notes: string[] = [];
    const outcome = await everywhere(given, results, notes);
    expect(notes).toEqual([
      "firefox: not found: install Firefox, or --runtimes firefox=PATH",
      "node (fails): Error: out of memory",
    ]);
    expect(outcome.hasFailed).toBe(false);
    expect(results).toHaveLength(1);
  });

  test.each([true, false])(
    "one that ends early, asked for by name: %s, counts as failed if so; what there is of it is kept",
    async (isNamed) => {
      const body = `await report({ soFar: ${JSON.stringify(result)} });
      await report({ progress: { case: "pairs/ipo/8", done: 0.6 } });
      process.exit(3);`;
      const results: unknown[] = [];
      const runtime: Runtime = { name: "node", label: "node", program: program("half", body), isNamed };
      const { hasFailed } = await everywhere([runtime], results);
      expect(hasFailed).toBe(isNamed);
      expect(results).toHaveLength(1);
    },
  );

  test("one that was asked for by name and is missing counts as failed", async () => {
    const { hasFailed } = await everywhere([{ name: "bun", label: "bun", program: undefined, isNamed: true }]);
    expect(hasFailed).toBe(true);
  });
});

describe("the server", () => {
  interface Asked {
    readonly path: string;
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
  }

  /** What it answers; fetch would tidy up paths, and send no other host. */
  const ask = ({ path, method = "GET", headers = {}, body = "" }: Asked) =>
    new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
      const options = { port: server.port, host: "127.0.0.1", path, method };
      const sent = request({ ...options, headers: { host: `localhost:${server.port}`, ...headers } }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      });
      sent.on("error", reject).end(body);
    });

  test("serves the page isolated, under a policy, with the peers that are installed in its import map", async () => {
    const { status, headers, text } = await ask({ path: "/bench.html" });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "content-security-policy": expect.stringMatching(/^default-src 'self'; script-src 'self' .*'sha256-/),
    });
    expect(text.indexOf("importmap")).toBeLessThan(text.indexOf('type="module"'));
    expect(JSON.parse(/importmap">(.*)<\/script>/.exec(text)?.[1] ?? "")).toEqual({
      imports: expect.objectContaining({
        "@jax-js/jax": "/peers/@jax-js/jax/dist/index.js",
        "@tensorflow/tfjs-core": "/peers/@tensorflow/tfjs-core/dist/tf-core.fesm.min.js",
        fs: "/nothing.js",
      }),
    });
    expect((await ask({ path: "/peers/@jax-js/jax/dist/index.js" })).text).toBe("export {};");
  });

  test.each([
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/peers/@jax-js/jax/..%2f..%2f..%2f..%2fsecret.txt",
    "/peers/@jax-js/..%2fjax/package.json",
    "/peers/other/index.js",
    "/peers/__proto__/index.js",
    "/%",
  ])("finds nothing at %s", async (path) => {
    const { status, text } = await ask({ path });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(text).not.toContain("secret");
  });

  test.each<[string, Partial<Asked>]>([
    ["a page of another origin", { headers: { origin: "https://example.com" } }],
    ["a name of another's that leads here", { headers: { host: "example.com" } }],
    ["who does not know the token", { path: "/runs/0/report" }],
  ])("takes no report from %s", async (_who, asked) => {
    const reports: Report[] = [];
    const { address, drop } = server.wait({ order, report: (said) => reports.push(said) });
    const own = { path: `${new URL(address).pathname}/report`, method: "POST", body: '{"failure":"x"}' };
    expect((await ask({ ...own, ...asked })).status).toBeGreaterThanOrEqual(400);
    expect(reports).toEqual([]);
    const { status, headers } = await ask(own);
    expect([status, headers["connection"]]).toEqual([200, "close"]);
    expect(reports).toEqual([{ failure: "x" }]);
    drop();
    expect((await ask(own)).status).toBe(404);
  });

  test("is not ended by a report that is none", async () => {
    const { address, drop } = server.wait({ order, report() {} });
    const path = `${new URL(address).pathname}/report`;
    expect((await ask({ path, method: "POST", body: "{" })).status).toBe(500);
    expect((await ask({ path: "/some.js" })).status).toBe(200);
    drop();
  });
});

test("peers are found in and above a folder, with the module that import takes", () => {
  const found = findPeers(join(folder, "dist"));
  expect([...found.keys()].sort()).toEqual(["@jax-js/jax", "@tensorflow/tfjs-core"]);
  expect(found.get("@jax-js/jax")?.address).toMatch(/\/node_modules\/@jax-js\/jax\/dist\/index\.js$/);
  expect(found.get("@tensorflow/tfjs-core")?.address).toMatch(/\/dist\/tf-core\.node\.js$/);
});
