// The examples in doc comments, README.md and docs/train.md run as they stand.

import { globSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as library from "../src/index.ts";
import { createPool } from "../src/pool.ts";
import * as train from "../src/train.ts";

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

// What an example may take for granted.
async function surroundings(): Promise<Record<string, unknown>> {
  const f32 = (...values: number[]): Float32Array => Float32Array.from(values);
  const lengths = { chosenLengths: f32(12, 9), rejectedLengths: f32(10, 14) };
  const reference = { referenceChosen: f32(-11, -8), referenceRejected: f32(-10, -13) };
  return {
    ...library,
    ...train,
    createPool,
    pairs: { policyChosen: f32(-10, -9), policyRejected: f32(-12, -13), ...reference, ...lengths },
    tokens: {
      pairs: 1,
      length: 3,
      inputIds: Int32Array.of(1, 2, 3, 1, 3, 2),
      completionMask: Uint8Array.of(0, 1, 1, 0, 1, 1),
    },
    vocab: 4,
    logits: Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    hiddenSize: 2,
    hidden: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
    weight: Float32Array.from({ length: 8 }, (_, i) => Math.sin(i)),
    reference: { logps: Float64Array.of(-2, -3) },
    js: library.createJs(),
    wasm: await library.createWasm(),
    console: { log: () => {} },
  };
}

async function run(code: string): Promise<void> {
  // An example may declare anew what is there already: a block of its own shadows it.
  const body = code.replace(/^import .* from "dpo-kernels(\/\w+)?";$/gm, "");
  const values = await surroundings();
  await new AsyncFunction(...Object.keys(values), `{ ${body}\n }`)(...Object.values(values));
}

describe("doc comments", () => {
  // Those of the adapters and of WebGPU need more: test/adapters/docs.test.ts, test/webgpu/docs.test.ts.
  const files = globSync("src/**/*.ts", { exclude: ["src/adapters/**", "src/webgpu/**"] });
  const examples = files.flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/@example\s+([\s\S]*?)(?=\n \*\/|\n \* @|\*\/)/g)].map(([, text = ""]) => ({
      file,
      code: text.replace(/\n \*/g, "\n"),
    })),
  );

  test("every factory and tool of the entry has one", () => {
    expect(examples.length).toBeGreaterThanOrEqual(6);
  });

  test.each(examples.map(({ file, code }, i) => [`${file} (${i})`, code] as const))("%s", (_name, code) => run(code));
});

describe.each(["README.md", "docs/train.md"])("%s", (page) => {
  const blocks = [...readFileSync(page, "utf8").matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = ""]) => code);

  test("has examples", () => expect(blocks.length).toBeGreaterThanOrEqual(2));

  test.each(blocks.map((code, i) => [i + 1, code] as const))("example %i", (_i, code) => run(code));
});
