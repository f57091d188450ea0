// The pool in Bun, whose workers are those of the web.

import { expect, test } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { expectedReport } from "./support/expected.ts";
import { noPinned, output, pinned, reportOf } from "./support/processes.ts";

whereThereIs("Bun", noPinned("bun"), () => {
  test("the scenario holds, in shared memory", { timeout: 70_000 }, async () => {
    expect(await reportOf(pinned("bun"), ["test/runtimes/main.js"])).toEqual(expectedReport(null, true));
  });

  test("the process exits by itself without dispose", { timeout: 70_000 }, async () => {
    expect(await reportOf(pinned("bun"), ["test/runtimes/without-dispose.js"])).toEqual({
      loss: expect.closeTo(Math.LN2, 6),
    });
  });

  test("the example runs", { timeout: 70_000 }, async () => {
    expect(await output(pinned("bun"), ["examples/pool/node.js"])).toMatch(/loss 0\.\d{4}, margin/);
  });
});
