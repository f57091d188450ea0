// examples/webgpu/tiny.onnx is the model that the adapters' examples encode.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { encodeModel } from "../../examples/adapters/onnx.ts";
import { dim, numbers, vocab } from "../../examples/adapters/task.ts";

it("is the model of the adapters' examples", () => {
  const weights = { embedding: numbers(vocab * dim, 1, 1), head: numbers(dim * vocab, 1, 2), dim, vocab };
  const file = readFileSync(new URL("../../examples/webgpu/tiny.onnx", import.meta.url));
  expect(new Uint8Array(file)).toEqual(encodeModel(weights, "float32"));
});
