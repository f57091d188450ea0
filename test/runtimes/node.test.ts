// The pool in Node: the pinned one and the machine's own.

import { describe, expect, test } from "vitest";
import { expectedReport } from "./support/expected.ts";
import { output, reportOf, systemNode } from "./support/processes.ts";

const versions = [
  ["the pinned Node", process.execPath] as const,
  [`the machine's Node${systemNode ? "" : " (skipped: none found on PATH)"}`, systemNode] as const,
];

describe.each(versions)("%s", (_name, node) => {
  const here = test.skipIf(!node);

  here("the scenario holds, in shared memory", { timeout: 70_000 }, async () => {
    expect(await reportOf(node ?? "", ["test/runtimes/main.js"])).toEqual(expectedReport(null, true));
  });

  here("the process exits by itself without dispose", { timeout: 70_000 }, async () => {
    expect(await reportOf(node ?? "", ["test/runtimes/without-dispose.js"])).toEqual({
      loss: expect.closeTo(Math.LN2, 6),
    });
  });

  here("the example runs", { timeout: 70_000 }, async () => {
    expect(await output(node ?? "", ["examples/pool/node.js"])).toMatch(/loss 0\.\d{4}, margin/);
  });
});
