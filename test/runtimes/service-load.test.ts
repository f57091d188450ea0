// A service under load in Node and in workerd, valid and hostile requests mixed: no fault of its own, no wrong number, no growth. The
// same for half a minute, with figures: bench/service.bench.ts.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { noSchemathesis, python } from "../support/python.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { projectOf, type Running, servers, start } from "./support/edge-project.ts";
import { load, memoryOf } from "./support/load.ts";
import { root } from "./support/processes.ts";
import { noTools, toolFile } from "./support/projects.ts";
import { type Bundled, bundleWorker, startWorkerd } from "./support/workerd.ts";

const MB = 1 << 20;

function holds(running: () => Running | undefined, more: (statuses: Record<string, number>) => void = () => {}): void {
  it("answers each request as it should, and holds no more memory after 1,500 than after 500", async () => {
    const { url, pid } = running() as Running;
    const warm = await load(url, (requests) => requests >= 500);
    const before = memoryOf(pid);
    const report = await load(url, (requests) => requests >= 1000);
    const grown = memoryOf(pid) - before;
    expect([...warm.faults, ...report.faults]).toEqual([]);
    expect(Object.keys(report.statuses).filter((status) => status.startsWith("5"))).toEqual([]);
    expect(report.statuses["200"]).toBeGreaterThan(350);
    // Of the 1,000, about 40 bodies of 9 MB: what is kept of them would show.
    expect(grown).toBeLessThan(96 * MB);
    more(report.statuses);
  });
}

const patience = { timeout: 300_000 };

whereThereIs(
  "Node",
  "",
  () => {
    let running: Running | undefined;
    beforeAll(async () => {
      running = await start(projectOf("node"), servers.node.command, servers.node.args);
    }, 60_000);
    afterAll(() => running?.stop());
    holds(() => running);

    whereThereIs(
      "schemathesis",
      noSchemathesis,
      () => {
        it("finds nothing in what the OpenAPI document says", () => {
          const config = join(root, "test/service/schemathesis.toml");
          const args = [
            "run",
            `${running?.url}/openapi.json`,
            "--phases=examples,coverage,fuzzing",
            "--no-color",
            "-n",
            "20",
            "--seed=1",
          ];
          const printed = execFileSync(python, ["-m", "schemathesis.cli", `--config-file=${config}`, ...args], {
            cwd: toolFile("../build"),
            encoding: "utf8",
          });
          expect(printed).toMatch(/(\d+) generated, \1 passed/);
        });
      },
      patience,
    );
  },
  patience,
);

whereThereIs(
  "workerd",
  noTools,
  () => {
    let bundled: Bundled | undefined;
    let running: Running | undefined;
    beforeAll(async () => {
      bundled = bundleWorker();
      running = await startWorkerd(bundled);
    }, 90_000);
    afterAll(() => running?.stop());
    holds(() => running);

    it("is at most 120 KB, gzip, as wrangler uploads it", () => {
      expect(bundled?.gzipBytes).toBeLessThanOrEqual(120 * 1024);
    });
  },
  patience,
);
