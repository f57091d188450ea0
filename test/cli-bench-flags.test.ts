// dpo-kernels bench: what is given is looked at, or refused before anything is measured.

import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { folder, run, write } from "./cli-run.ts";
import { runOf } from "./support/rounds.ts";

const result = runOf([{ case: "pairs/case/1", candidate: "plain", time: 1 }], 10, 1);
const file = write("bench-node26.json", JSON.stringify(result));
const other = { ...result, machine: { ...result.machine, cpu: "another\u001b[31m" } };
const elsewhere = write("bench-other.json", JSON.stringify(other));
const page = join(folder, "page.html");

/** What it says of a command line that it refuses. */
function refused(...args: readonly string[]): string {
  const { status, stdout, stderr } = run(["bench", ...args]);
  expect({ status, stdout }).toStrictEqual({ status: 2, stdout: "" });
  return stderr.trim();
}

describe("options that a way of calling it does not look at are refused", () => {
  const comparison = ["--compare", file, file];
  test.each([
    [
      [...comparison, "--quick"],
      "--quick: is for a measurement in this Node, --runtimes, --page, a comparison of builds; not for a comparison of results",
    ],
    [[...comparison, "--cases", "pairs/*"], "not for a comparison of results"],
    [[...comparison, "--seed", "1"], "not for a comparison of results"],
    [[...comparison, "--out", folder], "not for a comparison of results"],
    [[...comparison, "--report", page], "not for a comparison of results"],
    [[...comparison, "--runtimes", "node"], "--runtimes: not for a comparison of results"],
    [[...comparison, "--page"], "--page: not for a comparison of results"],
    [[...comparison, "--against", folder], "not for a comparison of results"],
    [[...comparison, "--format", "csv"], "--format: a comparison has json alone, got csv"],
    [[file, ...comparison], "results are for --report, not for a comparison of results"],
    [
      ["--against", "dist", "--no-peers"],
      "--no-peers: is for a measurement in this Node, --runtimes, --page; not for a comparison of builds",
    ],
    [["--report", page, file, "--processor-time"], "not for results to draw"],
    [["--report", page, file, "--format", "json"], "not for results to draw"],
    [["--page", "--report", page], "not for --page"],
    [["--page", "--runtimes", "node"], "--runtimes: not for --page"],
    [["--runtimes", "node", "--processor-time"], "not for --runtimes"],
    [
      ["--fail-on-slower"],
      "--fail-on-slower: is for a comparison of results, a comparison of builds; not for a measurement in this Node",
    ],
    [["--page", "65536"], "Expected a port, 1 to 65535."],
    [["--runtimes", "deno", "--runtimes", "nobody"], "got nobody"],
  ])("%j", (args, message) => {
    expect(refused(...args)).toContain(message);
  });
});

describe("where nothing can be written, nothing is measured", () => {
  test.each([
    [["--out", "package.json"], "package.json: file already exists"],
    [["--runtimes", "node", "--out", "package.json"], "package.json: file already exists"],
    [["--report", "nowhere/x.html"], "nowhere/x.html: no such file or directory"],
    [["--report", "package.json/x.html"], "package.json/x.html: not a directory"],
  ])("%j", (args, message) => {
    expect(refused(...args)).toBe(`error: ${message}`);
  });

  test("--page on a port that is taken", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve(Object(server.address()).port));
    });
    expect(refused("--page", String(port), "--out", folder)).toContain(`--page ${port}: listen EADDRINUSE`);
    server.close();
  });
});

test("a comparison that has nothing to compare is no success, and names of files do not steer the terminal", () => {
  const message = refused("--compare", file, elsewhere, "--fail-on-slower");
  expect(message).toContain("expected figures of the same machine, runtime and case on both sides, got none");
  expect(message).toContain("node 26 on a processor, linux x64: pairs/case/1, plain, allocate, and 1 more");
  const { stdout, status } = run(["bench", "--compare", elsewhere, elsewhere]);
  expect(status).toBe(0);
  expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u);
});

test("a module that is not this package is no build", () => {
  write("index.js", "export const version = 1;");
  const message = "expected a build of the package, with createWasm and createJs, got another module";
  expect(refused("--against", folder)).toBe(`error: ${join(folder, "index.js")}: ${message}`);
});

test("inputs larger than memory are a case that is not measured; nothing measured is status 1", () => {
  const { status, stdout } = run(["bench", "--quick", "--no-peers", "--cases", "pairs/sigmoid/999999999999"]);
  expect(stdout).toContain("not measured: pairs/sigmoid/999999999999, all candidates: its inputs do not fit here:");
  expect(status).toBe(1);
});
