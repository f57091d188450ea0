// docs/service.md: what a terminal and a Python file take from it. Its other blocks: test/examples.test.ts.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createJs } from "../../src/backends/js/js.ts";
import { post } from "./support.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const page = read("docs/service.md");
const block = (language: string): string => page.split(`\`\`\`${language}\n`)[1]?.split("```")[0] ?? "";

describe("docs/service.md", () => {
  test("the request by curl gives what the page says", async () => {
    const [, path = "", type = "", body = ""] =
      /^curl http:\/\/localhost:8787(\S+) -H 'content-type: ([^']+)' -d '([^']+)'\n$/.exec(block("sh")) ?? [];
    const { status, json } = await post(path, body, undefined, { "content-type": type });
    const { lossType, beta, ...lists } = JSON.parse(body);
    const arrays = Object.entries(lists).map(([name, list]) => [name, Float64Array.from(list as number[])]);
    const { loss } = createJs().pairLoss(Object.fromEntries(arrays), { lossType, beta });
    expect([status, json["loss"]]).toEqual([200, expect.closeTo(loss, 6)]);
    const said = /^gives (.*), as `pairLoss` does/m.exec(page)?.[1] ?? "";
    expect(Object.keys(json).map((name) => `\`${name}\``)).toEqual(said.split(", "));
  });

  test("the refusal is one that comes", async () => {
    const tokens = { rows: 1, length: 3, inputIds: [1, 2, 4], completionMask: [0, 1, 1] };
    const { json } = await post("/v1/sequence-logps", { tokens, vocab: 4, logits: new Array(12).fill(0) });
    expect({ ...json, requestId: "…" }).toEqual(JSON.parse(block("json")));
  });

  test("the client in Python is the one of examples/edge, which a test runs", () => {
    expect(block("python")).toBe(read("examples/edge/client.py"));
  });
});
