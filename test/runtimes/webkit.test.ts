// The pool in WebKitGTK, which has neither relaxed SIMD nor, even in an isolated page, shared memory.

import { expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inWebKit } from "./support/browsers.ts";
import { expectedReport } from "./support/expected.ts";
import { headerCases, refusalCase } from "./support/header-cases.ts";
import { isolation } from "./support/server.ts";

const PAGE = "test/runtimes/page.html";

suite(inWebKit, (visit, show) => {
  it("the scenario holds in a page that is not isolated, in copies", async () => {
    expect(await visit(PAGE, {})).toEqual(expectedReport(false, "SharedArrayBuffer is not defined"));
  });

  it("the scenario holds in an isolated page, in copies too", async () => {
    expect(await visit(PAGE, isolation)).toEqual(expectedReport(true, "SharedArrayBuffer is not defined"));
  });

  headerCases(visit, false);
  refusalCase(visit);

  it("the example page shows a loss and a margin", async () => {
    expect(await show("examples/pool/index.html", /margin/)).toMatch(/loss 0\.\d{4}, margin/);
  });
});
