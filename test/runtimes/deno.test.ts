// The pool in Deno, whose workers are those of the web and keep the process until they are disposed of.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dist } from "../support/built.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { expectedReport } from "./support/expected.ts";
import { noPinned, output, pinned, reportOf } from "./support/processes.ts";

// No permission but to read the files of the package.
const run = ["run", "--no-prompt", "--allow-read"];

whereThereIs("Deno", noPinned("deno"), () => {
  test("the scenario holds, in shared memory, and the process exits after dispose", { timeout: 70_000 }, async () => {
    expect(await reportOf(pinned("deno"), [...run, "test/runtimes/main.js"])).toEqual(expectedReport(null, true));
  });

  test("the example runs", { timeout: 70_000 }, async () => {
    expect(await output(pinned("deno"), [...run, "examples/pool/node.js"])).toMatch(/loss 0\.\d{4}, margin/);
  });

  test("a server that never answers for the worker's file: workers start from their text", {
    timeout: 70_000,
  }, async () => {
    const asked: unknown[] = [];
    const server = createServer(async ({ method, url = "" }, response) => {
      if (url === "/worker.js") return void asked.push(method);
      response.writeHead(200, { "content-type": "text/javascript" }).end(await readFile(join(dist, url)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const flags = ["run", "--no-prompt", "--no-lock", "--reload", "--quiet", `--allow-import=${host}`];
    const program = ["test/runtimes/silent-server.js", `http://${host}/pool.js`];
    try {
      expect(await reportOf(pinned("deno"), [...flags, `--allow-net=${host}`, ...program])).toEqual({
        loss: expect.closeTo(Math.LN2, 6),
        reason: expect.stringContaining("started from their text"),
      });
      expect(asked).toEqual(["GET", "HEAD"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
