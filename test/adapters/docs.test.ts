// The examples in the doc comments of the adapters run as they stand; those of docs/adapters.md: test/examples.test.ts.

import { globSync, readFileSync } from "node:fs";
import * as jax from "@jax-js/jax";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-layers";
import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, test } from "vitest";
import { jaxLogitsLoss, jaxLogpsLoss } from "../../src/adapters/jax.ts";
import { ortLogits, ortTokens } from "../../src/adapters/onnxruntime.ts";
import { tfLogitsLoss, tfSequenceLogps } from "../../src/adapters/tfjs.ts";
import { createWasm } from "../../src/index.ts";
import { numbers, padded, referenceLogps, rows, vocab } from "./batch.ts";

beforeAll(() => jax.init());

const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...values: unknown[]) => Promise<unknown>;

const dims = [2 * padded.pairs, padded.length];
const values = numbers(rows.padded * vocab, 1, 2);
const run = async () => ({ logits: new ort.Tensor("float32", values.slice(), [...dims, vocab]) });
const int64 = (array: ArrayLike<number>) =>
  new ort.Tensor("int64", BigInt64Array.from(Array.from(array), BigInt), dims);

// What an example may take for granted: first what all share, then what each library has.
const shared = async () => ({
  wasm: await createWasm(),
  tokens: padded,
  logps: referenceLogps,
  console: { log: () => {} },
});
const surroundings: Record<string, () => object> = {
  onnxruntime: () => ({
    ...{ ortLogits, ortTokens, session: { run }, reference: { run } },
    ...{ input_ids: int64(padded.inputIds), completion_mask: int64(padded.completionMask) },
  }),
  tfjs: () => {
    const bias = tf.variable(tf.zeros([vocab]));
    const model = (inputs: tf.Tensor) => tf.add(inputs, bias);
    return {
      tf,
      tfLogitsLoss,
      tfSequenceLogps,
      model,
      inputs: tf.tensor(values, [...dims, vocab]),
      optimizer: tf.train.sgd(0.1),
    };
  },
  jax: () => {
    const model = (weight: jax.Array) => weight.mul(2);
    const weight = jax.numpy.array(values, { shape: [...dims, vocab] });
    return { jax, jaxLogitsLoss, jaxLogpsLoss, model, weight, learningRate: 0.1 };
  },
};

async function runs(code: string, library: string): Promise<void> {
  const given = { ...(await shared()), ...surroundings[library]?.() };
  // An example may declare anew what is there already: a block of its own shadows it.
  await new AsyncFunction(...Object.keys(given), `{ ${code}\n }`)(...Object.values(given));
}

describe("doc comments", () => {
  const examples = globSync("src/adapters/*.ts").flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/@example\s+([\s\S]*?)(?=\n \*\/)/g)].map(([, text = ""]) => [
      file.replace(/.*[\\/](\w+)\.ts$/, "$1"),
      text.replace(/\n \*/g, "\n"),
    ]),
  );

  test("every call has one", () => expect(examples.length).toBe(6));

  test.each(examples as [string, string][])("%s", (library, code) => runs(code, library));
});
