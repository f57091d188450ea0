// The pool in Chromium: isolated, not isolated, and under strict content policies.

import { expect, it } from "vitest";
import { suite } from "./support/browser-suite.ts";
import { inChromium } from "./support/browsers.ts";
import { expectedReport } from "./support/expected.ts";
import { headerCases, refusalCase } from "./support/header-cases.ts";
import { isolation } from "./support/server.ts";

const PAGE = "test/runtimes/page.html";
const NOT_DEFINED = "SharedArrayBuffer is not defined";

suite(inChromium, (visit, show) => {
  it("the scenario holds in an isolated page, in shared memory", async () => {
    expect(await visit(PAGE, isolation)).toEqual(expectedReport(true, true));
  });

  it("the scenario holds in a page that is not isolated, in copies", async () => {
    expect(await visit(PAGE, {})).toEqual(expectedReport(false, NOT_DEFINED));
  });

  headerCases(visit, true);
  refusalCase(visit);

  it("the example page shows a loss and a margin", async () => {
    expect(await show("examples/pool/index.html", /margin/)).toMatch(/loss 0\.\d{4}, margin/);
  });
});
