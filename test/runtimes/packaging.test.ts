// What tools that read packages say of the tarball.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { noTools, packFolder, project, runIn, toolFile, tools } from "./support/projects.ts";

whereThereIs("the tarball", noTools, () => {
  let tarball = "";
  beforeAll(() => {
    project("packaging", {});
    tarball = join(packFolder, readdirSync(packFolder).find((file) => file.endsWith(".tgz")) ?? "");
  }, 60_000);

  it("publint finds nothing", { timeout: 60_000 }, async () => {
    const output = await runIn(tools, [toolFile("publint/src/cli.js"), tarball, "--strict"]);
    expect(output).toMatch(/All good!/);
  });

  // An ES module alone: a `require` of it works in Node from 20.19 on, which servers.test.ts runs.
  it("attw finds types of every entry, by node10's resolution too", { timeout: 120_000 }, async () => {
    const attw = toolFile("@arethetypeswrong/cli/dist/index.js");
    const output = await runIn(tools, [attw, tarball, "--ignore-rules", "cjs-resolves-to-esm", "--format", "json"]);
    const { analysis, problems } = JSON.parse(output);
    expect(analysis).toMatchObject({ packageName: "dpo-kernels", types: { kind: "included" } });
    expect(Object.keys(problems)).toEqual(["CJSResolvesToESM"]);
  });

  it("has what the README links to", async () => {
    const list = await runIn(tools, ["tar", "-tzf", tarball]);
    const readme = await runIn(tools, ["tar", "-xzOf", tarball, "package/README.md"]);
    const links = [...readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) => path);
    expect(links.length).toBeGreaterThan(5);
    const files = list.split("\n");
    expect([...new Set(links)].filter((path) => !files.some((file) => file.startsWith(`package/${path}`)))).toEqual([]);
  });
});
