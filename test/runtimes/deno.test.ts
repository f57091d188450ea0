// The pool in Deno, whose workers are those of the web and keep the process until they are disposed of.

import { expect, test } from "vitest";
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
});
