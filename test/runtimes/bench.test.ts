// The benchmark of the packed tarball, in an empty folder, in every runtime that is here; and its page, opened by hand.

import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BenchResult } from "../../src/bench/types.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { type BrowserKind, inChromium, inFirefox, inWebKit } from "./support/browsers.ts";
import { noPinned, pinned, stop } from "./support/processes.ts";
import { nodeOf, noTools, project, runIn, toolFile } from "./support/projects.ts";

const CASE = "pairs/sigmoid/1024";
const bench = ["node_modules/dpo-kernels/dist/cli.js", "bench", "--quick", "--cases", CASE];

let folder = "";
beforeAll(() => {
  folder = project("bench", {});
}, 60_000);

/** Folders that a run made for itself and has not removed. */
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("dpo-kernels-bench-"));

function resultAt(...path: string[]): BenchResult {
  return JSON.parse(readFileSync(join(folder, ...path), "utf8")) as BenchResult;
}

/** Of this package, in the order of the names. */
const candidatesOf = ({ figures }: BenchResult): string[] =>
  [...new Set(figures.filter(({ ours }) => ours).map(({ candidate }) => candidate))].sort();

/** What every result says, wherever it was measured. */
function expectSound(result: BenchResult, name: string, candidates: readonly string[]): void {
  expect(result).toMatchObject({ schema: 1, settings: { quick: true } });
  expect(result.runtime.name).toBe(name);
  expect(result.runtime.version).toMatch(/^\d+[\d.-]+\w*$/);
  expect(result.runtime.clockStep).toBeGreaterThan(0);
  expect(result.machine.platform).toBe(`${process.platform} ${process.arch}`);
  expect(result.limits.plain).toBeGreaterThan(0);
  expect(result.limits.bandwidth).toBeGreaterThan(0);
  expect(candidatesOf(result)).toEqual(expect.arrayContaining([...candidates]));
  const peers = (name === "workerd" ? result.skipped : result.figures).map(({ candidate }) => candidate);
  expect(peers).toEqual(expect.arrayContaining(libraries));
  for (const { case: work, rounds, median, error } of result.figures) {
    expect(work).toBe(CASE);
    // One where three turns take more than a case's time, as under a coarse clock on a busy machine.
    expect(rounds.length).toBeGreaterThan(0);
    expect(median).toBeGreaterThan(0);
    expect(error.value).toBeLessThan(1e-4);
  }
}

/** Found above the folder, in this repository's own; not in workerd, which takes none. */
const libraries = ["jax-js", "onnxruntime-web"];

const all = ["js", "plain", "relaxed"];
const withoutRelaxed = ["js", "plain"];

interface Place {
  readonly title: string;
  readonly missing: string;
  /** The command line, and its file of results. */
  readonly command: readonly string[];
  readonly file: RegExp;
  readonly name: string;
  readonly candidates: readonly string[];
  readonly isolated?: boolean;
}

const inThis = (runtimes: string): string[] => [...bench, "--runtimes", runtimes];
const page = ({ missing }: BrowserKind, name: string, candidates: readonly string[]): Place => ({
  title: name,
  missing: missing || noTools,
  command: inThis(name),
  file: new RegExp(`^bench-${name}\\d+\\.json$`),
  name,
  candidates,
  isolated: true,
});

const places: readonly Place[] = [
  {
    title: "this Node",
    missing: noTools,
    command: inThis("node"),
    file: /^bench-node26\.json$/,
    name: "node",
    candidates: all,
  },
  {
    title: "another Node, from a command line in Node 20",
    missing: noTools,
    command: [nodeOf("node20"), ...inThis(`node=${nodeOf("node22")}`)],
    file: /^bench-node22\.json$/,
    name: "node",
    candidates: all,
  },
  {
    title: "Node 20",
    missing: noTools,
    command: inThis(`node=${nodeOf("node20")}`),
    file: /^bench-node20\.json$/,
    name: "node",
    candidates: withoutRelaxed,
  },
  {
    title: "Deno",
    missing: noPinned("deno") || noTools,
    command: inThis(`deno=${pinned("deno")}`),
    file: /^bench-deno2\.json$/,
    name: "deno",
    candidates: all,
  },
  {
    title: "Bun",
    missing: noPinned("bun") || noTools,
    command: inThis(`bun=${pinned("bun")}`),
    file: /^bench-bun1\.json$/,
    name: "bun",
    candidates: all,
  },
  page(inChromium, "chromium", all),
  page(inFirefox, "firefox", all),
  page(inWebKit, "webkit", withoutRelaxed),
  {
    title: "workerd",
    missing: noTools,
    command: inThis(`workerd=${toolFile("workerd/bin/workerd")}`),
    file: /^bench-workerd\d+\.json$/,
    name: "workerd",
    candidates: all,
  },
];

describe.each(places)(
  "dpo-kernels bench in $title",
  ({ title, missing, command, file, name, candidates, isolated }) => {
    whereThereIs(title, missing, () => {
      it("leaves a sound result where --out says, and nothing else", { timeout: 90_000 }, async () => {
        const before = leftovers();
        const out = `results-${title.replace(/\W+/g, "-")}`;
        const printed = await runIn(folder, [...command, "--out", out, "--report", `${out}.html`], 80_000);
        const files = readdirSync(join(folder, out));
        expect(files).toEqual([expect.stringMatching(file)]);
        expect(printed).toContain(files[0]);
        expect(readFileSync(join(folder, `${out}.html`), "utf8")).toContain(CASE);
        const result = resultAt(out, files[0] ?? "");
        expectSound(result, name, candidates);
        if (isolated) expect(result.runtime.crossOriginIsolated).toBe(true);
        expect(leftovers()).toEqual(before);
      });
    });
  },
);

whereThereIs("Ctrl-C", inChromium.missing || noTools, () => {
  it("ends the browser, and removes its profile", { timeout: 60_000 }, async () => {
    const before = leftovers();
    const [script = "", ...args] = [...bench.slice(0, 2), "--runtimes", "chromium"];
    const child = spawn(process.execPath, [script, ...args], { cwd: folder, stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const isNew = () => leftovers().filter((name) => !before.includes(name));
    while (isNew().length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(isNew()).toEqual([]);
  });
});

const byHand = (kind: BrowserKind, name: string, candidates: readonly string[]): void =>
  whereThereIs(`the page by hand in ${kind.name}`, kind.missing || noTools, () => {
    const out = `by-hand-${name}`;
    const args = ["bench", "--page", "--cases", CASE, "--out", out];
    let server: ReturnType<typeof spawn>;
    let output = "";
    let address = "";
    const said = async (what: RegExp): Promise<string> => {
      while (!what.test(output)) await new Promise((resolve) => setTimeout(resolve, 50));
      return what.exec(output)?.[0] ?? "";
    };
    beforeAll(async () => {
      server = spawn(process.execPath, ["node_modules/dpo-kernels/dist/cli.js", ...args], {
        cwd: folder,
        stdio: ["ignore", "pipe", "inherit"],
      });
      server.stdout?.on("data", (text) => {
        output += text;
      });
      address = await said(/http:\/\/localhost:\d+\/\S+/);
    }, 60_000);
    afterAll(() => stop(server));

    it("waits for its button, shows a table and a file to download, and is kept", { timeout: 60_000 }, async () => {
      const browser = await kind.open();
      try {
        await browser.visit(address);
        expect(await browser.text()).not.toContain(CASE);
        await browser.click("button");
        // Asking a page takes time from what it measures: the command says when it has the result.
        await said(/ written/);
        let text = "";
        while (!/done|failed/.test(text)) text = await browser.text();
        expect(text).toContain("done, and kept by the command that serves this page");
        expect(text).toMatch(/Download the result/);
        for (const candidate of candidates) expect(text).toContain(`${candidate}, own`);
      } finally {
        await browser.close();
      }
      const [file = ""] = readdirSync(join(folder, out));
      expectSound(resultAt(out, file), name, candidates);
    });
  });

byHand(inChromium, "chromium", all);
byHand(inFirefox, "firefox", all);
// Not in WebKit: with WebKitWebDriver the page sometimes stalls before its first case; MiniBrowser by itself, above, runs it.
