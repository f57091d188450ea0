// The main entry in an engine that has the language and nothing else: no encoders, no streams, no timers.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const index = new URL("../dist/index.js", import.meta.url).href;

/** What a program prints that runs after these globals have been taken away. */
function reportWithout(taken: string, program: string): unknown {
  const text = `
    import { readFileSync } from "node:fs";
    import { runInNewContext } from "node:vm";
    const { log } = console;
    for (const name of ${taken}) delete globalThis[name];
    const entry = await import(${JSON.stringify(index)});
    const pairs = {};
    for (const name of ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"]) pairs[name] = Float32Array.of(-3, -4);
    const loss = (backend) => [backend.name, backend.reason, backend.pairLoss(pairs).loss];
    log(JSON.stringify(await (async () => { ${program} })()));
  `;
  const args = ["--input-type=module", "--eval", text];
  return JSON.parse(
    execFileSync(process.execPath, args, { encoding: "utf8", cwd: fileURLToPath(new URL(".", index)) }),
  );
}

const ln2 = expect.closeTo(Math.LN2, 6);

/** All that is not of the language: what a fresh context of node:vm lacks. */
const beyondTheLanguage = `
  Object.getOwnPropertyNames(globalThis).filter((name) => !runInNewContext("Object.getOwnPropertyNames(globalThis)").includes(name))
`;

// Node's zlib unpacks too, wherever there is a process.
const unpacking = ["DecompressionStream", "Blob", "atob"];
const cases: [title: string, taken: string, missing: RegExp][] = [
  ...unpacking.map((name): [string, string, RegExp] => [name, JSON.stringify(["process", name]), new RegExp(name)]),
  [
    "TextEncoder, TextDecoder and DecompressionStream",
    '["process", "TextEncoder", "TextDecoder", "DecompressionStream"]',
    /TextDecoder|DecompressionStream/,
  ],
  ["everything but the language", beyondTheLanguage, /Blob|atob/],
];

describe.each(cases)("without %s", (_title, taken, missing) => {
  test("the entry imports, and createJs works", () => {
    expect(reportWithout(taken, "return loss(entry.createJs());")).toEqual(["js", expect.any(String), ln2]);
  });

  test.each(["pairs", "logits", "linear"])("createBackend for %s falls back to js and says why", (work) => {
    const program = `
      const { name, reason } = await entry.createBackend({ for: "${work}" });
      return { name, reason };
    `;
    const reason = expect.stringMatching(/^plain JavaScript: wasm: the built-in module cannot be unpacked here \(.*\)/);
    const report = reportWithout(taken, program);
    expect(report).toEqual({ name: "js", reason });
    expect(report).toEqual({ name: "js", reason: expect.stringMatching(missing) });
  });

  test("createWasm refuses, typed", () => {
    const program = "return entry.createWasm().catch((error) => [error instanceof entry.BackendError, error.code]);";
    expect(reportWithout(taken, program)).toEqual([true, "unavailable"]);
  });

  test("createWasm takes a module that needs no unpacking", () => {
    const program = `
      const bytes = readFileSync("kernels.wasm");
      return loss(await entry.createWasm({ module: new WebAssembly.Module(bytes) }));
    `;
    expect(reportWithout(taken, program)).toEqual(["wasm", expect.any(String), ln2]);
  });
});

// To have a Response, Node loads all of fetch; to have a stream, all of web streams: a first call does with zlib alone.
test.each([
  ["Response", '["Response"]'],
  ["Response, nor Node's own modules", '["Response", "process"]'],
  ["streams and Blob, in Node", JSON.stringify(unpacking)],
])("without %s createWasm unpacks its module all the same", (_title, taken) => {
  expect(reportWithout(taken, "return loss(await entry.createWasm());")).toEqual(["wasm", expect.any(String), ln2]);
});
