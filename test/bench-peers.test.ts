// The libraries that dpo-kernels is measured beside: every one gives what float64 gives, in every case that it has a form of.

import { describe, expect, it } from "vitest";
import { createPeers, pageModules, peerNames } from "../src/bench/peers/index.ts";
import { found, loadAll, repeatable } from "../src/bench/peers/peer.ts";
import type { Candidate, Case } from "../src/bench/types.ts";
import { tinyCases } from "./support/bench-cases.ts";

const cases = tinyCases();

/** What each library has no form of. */
const none: Readonly<Record<string, RegExp>> = {
  "plain-js": /ipo|f16|sgd|clip/,
  "onnxruntime-web": /ipo|f16|optimiser/,
  "onnxruntime-node": /ipo|f16|optimiser/,
  "tfjs-wasm": /ipo|f16|sgd|clip/,
  "jax-js": /ipo|f16|sgd|clip/,
};

const { candidates, skipped } = await createPeers();

it("starts every peer, one after the other, with its version", () => {
  expect(skipped).toEqual([]);
  expect(candidates.map(({ name }) => name)).toEqual(peerNames);
  for (const { name, ours, version } of candidates) {
    expect(ours).toBe(false);
    if (name !== "plain-js") expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
  }
});

describe.each(candidates.map((candidate) => [candidate.name, candidate] as const))("%s", (name, candidate) => {
  it.each(cases.map((work) => [work.name, work] as const))("%s", async (_, work) => {
    const problem = work.prepare();
    const opened = await candidate.open(work, problem);
    expect(opened === undefined).toBe(none[name]?.test(work.name));
    if (!opened) return;
    await opened.run();
    const results = await opened.results();
    const error = problem.check(results);
    expect(error.value).toBeGreaterThanOrEqual(0);
    for (const result of Object.values(results)) if (typeof result !== "number") (result as Float32Array)[0] = 1e3;
    expect(() => problem.check(results)).toThrow(/expected .*, got 1000/);
    await opened.close?.();
  });

  it("has nothing for the pool", async () => {
    const work = { ...(cases[0] as Case), group: "pool" as const };
    const open = (candidate as Candidate).open(work, work.prepare());
    expect(await open).toBeUndefined();
  });
});

it("what a run gave is what is checked, without a run more", async () => {
  let runs = 0;
  const opened = repeatable(() => ({ loss: ++runs }));
  expect(await opened.results(opened.run())).toEqual({ loss: 1 });
  expect(await opened.results()).toEqual({ loss: 2 });
});

describe("a library that is missing", () => {
  it("is named with how to install it", async () => {
    const { skipped } = await createPeers(["tfjs-wasm", "jax-js"], {
      ...found,
      load: (name) => import(`${name}-that-nobody-has`),
    });
    expect(skipped).toEqual([
      { candidate: "tfjs-wasm", why: "npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm" },
      { candidate: "jax-js", why: "npm install @jax-js/jax" },
    ]);
  });

  it.each([
    ["Node", "Cannot find package 'x' imported from /app/bench.js"],
    ["Deno", 'Could not resolve "x"'],
    ["Bun", "Cannot find module 'x' from '/app/bench.js'"],
    [
      "Chromium",
      'Failed to resolve module specifier "x". Relative references must start with either "/", "./", or "../".',
    ],
    ["Firefox", "The specifier “x” was a bare specifier, but was not remapped to anything."],
    ["WebKit", "Module name, 'x' does not resolve to a valid URL."],
  ])("is known by the words of %s", async (_, message) => {
    const load = () => Promise.reject(new TypeError(message));
    await expect(loadAll({ ...found, load }, ["x"])).rejects.toThrow(/^npm install x$/);
  });

  it("is no other failure", async () => {
    const load = () => Promise.reject(new Error("no WebAssembly here"));
    await expect(loadAll({ ...found, load }, ["x"])).rejects.toThrow(/^x: no WebAssembly here$/);
  });
});

it("pages find the files that the import map names", async () => {
  for (const [name, file] of Object.entries(pageModules)) {
    const folder = new URL("..", found.resolve(name));
    const module = await import(new URL(file, folder).href);
    expect(Object.keys(module).length, name).toBeGreaterThan(0);
  }
});
