// The pool in Node: the pinned one and the machine's own.

import { expect, test } from "vitest";
import { whereThereIs } from "../support/where-there-is.ts";
import { expectedReport } from "./support/expected.ts";
import { noSystemNode, output, reportOf, systemNode } from "./support/processes.ts";

const scenarios = (node: string) => (): void => {
  test("the scenario holds, in shared memory", { timeout: 70_000 }, async () => {
    expect(await reportOf(node, ["test/runtimes/main.js"])).toEqual(expectedReport(null, true));
  });

  test("the process exits by itself without dispose", { timeout: 70_000 }, async () => {
    expect(await reportOf(node, ["test/runtimes/without-dispose.js"])).toEqual({
      loss: expect.closeTo(Math.LN2, 6),
    });
  });

  test("the example runs", { timeout: 70_000 }, async () => {
    expect(await output(node, ["examples/pool/node.js"])).toMatch(/loss 0\.\d{4}, margin/);
  });
};

whereThereIs("the pinned Node", "", scenarios(process.execPath));
whereThereIs("the machine's Node", noSystemNode, scenarios(systemNode));
