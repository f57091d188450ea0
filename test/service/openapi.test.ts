// The OpenAPI document says what the library knows, neither more nor less.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createJs } from "../../src/backends/js/js.ts";
import { calls, runCall, type ServiceCall } from "../../src/service/calls.ts";
import { isValue } from "../../src/service/fields.ts";
import { defaultLimits } from "../../src/service/limits.ts";
import { localOptions } from "../../src/service/options.ts";
import { linearBatch, logitsBatch, pairs, post, requestOf, rows, service } from "./support.ts";

const js = createJs();
const document = await (await service.fetch(requestOf("/openapi.json"))).json();

/** The names that the library lists when it is given one that it does not know. */
function knownTo(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    const [, names = ""] = /known: ([^;]*)/.exec((error as Error).message) ?? [];
    return names.split(", ").sort();
  }
  return [];
}

/** What is read before the options are. */
const sound = (call: ServiceCall): Record<string, unknown> =>
  call.argument !== "batch" ? {} : { tokens: {}, ...(call.name === "sequenceLogpsGrad" ? { gradients: {} } : {}) };

describe.each(calls.map((call) => [call.path, call] as const))("%s", (path, call) => {
  test("has every option of the library that has a meaning over HTTP", () => {
    const known = knownTo(() => runCall(call, js, { input: sound(call), options: { nope: 1 } }));
    const ours = Object.keys(call.options);
    expect(ours.filter((name) => !known.includes(name))).toEqual([]);
    expect(
      known.filter((name) => !ours.includes(name) && !localOptions.has(name) && !(name in ofOthers(path))),
    ).toEqual([]);
  });

  test("has every input of the library", () => {
    const known = knownTo(() => runCall(call, js, { input: { ...sound(call), nope: 1 }, options: {} }));
    const inputs = Object.keys(call.fields)
      .filter((name) => name !== "gradients")
      .sort();
    // The reference of a batch of sequences is not looked at.
    expect(inputs).toEqual(known.filter((name) => inputs.includes(name) || name !== "reference"));
  });

  test("is in the document, its inputs with a type each", () => {
    const { requestBody, responses } = document.paths[path].post;
    const { properties, required } = requestBody.content["application/json"].schema;
    expect(Object.keys(properties).sort()).toEqual([...Object.keys(call.fields), ...Object.keys(call.options)].sort());
    for (const [name, field] of Object.entries(call.fields)) {
      expect(properties[name]).toMatchObject({ type: isValue(field) ? expect.any(String) : "object" });
      expect(required.includes(name)).toBe(field.required === true);
    }
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(["200", "400", "413", "415", "422"]));
  });
});

/** Options that the library's reader knows in every call, to refuse them by name where they have no use. */
const ofOthers = (path: string): Record<string, true> => {
  const ofTokens = {
    cpoAlpha: true,
    nll: true,
    gradType: true,
    ldAlpha: true,
    weighting: true,
    logitScale: true,
    logitSoftcap: true,
    temperature: true,
  } as const;
  const ofHeads = { frozen: true } as const;
  if (path === "/v1/pair-loss" || path === "/v1/unpaired-loss") return { ...ofTokens, ...ofHeads };
  return path.startsWith("/v1/sequence-logps")
    ? { ...ofHeads, gradType: true, gradScale: true, metrics: true }
    : ofHeads;
};

test("results are those that the document names", async () => {
  const { reference: _, ...logits } = logitsBatch;
  const bodies: Record<string, object> = {
    "/v1/pair-loss": { ...pairs, metrics: "full" },
    "/v1/unpaired-loss": { ...rows, lossType: "bco", metrics: "full" },
    "/v1/sequence-logps": { ...logits, entropy: true },
    "/v1/sequence-logps-grad": { ...logits, gradients: { logps: [1, 1] } },
    "/v1/logits-loss": logitsBatch,
    "/v1/linear-loss": linearBatch,
  };
  for (const { path } of calls) {
    const { json } = await post(path, bodies[path]);
    const { properties, required } = document.paths[path].post.responses[200].content["application/json"].schema;
    expect(Object.keys(json).filter((name) => !(name in properties))).toEqual([]);
    expect(required.filter((name: string) => !(name in json))).toEqual([]);
  }
});

test.each(calls.map(({ path }) => [path]))("the example of %s works", async (path) => {
  const { example } = document.paths[path].post.requestBody.content["application/json"];
  const { status, json } = await post(path, example);
  expect([status, JSON.stringify(json).includes("NaN")]).toEqual([200, false]);
});

test("docs/service.md has every path, every option and its default", () => {
  const page = readFileSync(new URL("../../docs/service.md", import.meta.url), "utf8");
  for (const [path, methods] of Object.entries(document.paths)) {
    expect(page).toContain(`| \`${Object.keys(methods as object)[0]?.toUpperCase()} ${path}\` |`);
  }
  for (const [name, value] of Object.entries(defaultLimits)) {
    expect(page).toContain(`| \`${name}\` | ${value.toLocaleString("en-US")} |`);
  }
});

test("every reference leads somewhere", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(10);
  for (const [, name = ""] of references) expect(document.components.schemas).toHaveProperty(name);
});
