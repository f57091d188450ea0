// Tensors of a session as logits and tokens: real ones of onnxruntime-web, on the CPU and elsewhere.

import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { encodeModel } from "../../examples/adapters/onnx.ts";
import { type OrtTensor, ortLogits, ortTokens } from "../../src/adapters/onnxruntime.ts";
import { createJs, DpoError, KindError, ShapeError } from "../../src/index.ts";
import type { PackedTokens, Tokens } from "../../src/types.ts";
import { onEachBackend } from "../support/backends.ts";
import { numbers, packed, padded, referenceLogps, rows, vocab } from "./batch.ts";

const { pairs, length } = padded;
const [B2, T] = [2 * pairs, length];
const float32 = (dims: number[]) =>
  new ort.Tensor(
    "float32",
    numbers(
      dims.reduce((product, size) => product * size, 1),
      3,
      7,
    ),
    dims,
  );

describe("examples/adapters/onnxruntime-web.ts", () => {
  beforeAll(() => void vi.spyOn(console, "log").mockImplementation(() => {}));

  it("gives the loss of its sessions' logits and their gradient", async () => {
    const { batch, loss, gradLogits } = await import("../../examples/adapters/onnxruntime-web.ts");
    const { dim, numbers: weights, tokens, vocab } = await import("../../examples/adapters/task.ts");
    // The model, written out.
    const [embedding, heads] = [weights(vocab * dim, 1, 1), [2, 3].map((seed) => weights(dim * vocab, 1, seed))];
    const [policy = [], reference = []] = heads.map((head) =>
      Array.from(tokens.inputIds).flatMap((id) =>
        Array.from({ length: vocab }, (_, v) => {
          let sum = 0;
          for (let d = 0; d < dim; d++) sum += (embedding[id * dim + d] ?? 0) * (head[d * vocab + v] ?? 0);
          return sum;
        }),
      ),
    );
    const plain = { tokens, vocab, logits: Float32Array.from(policy) };
    const want = createJs().logitsLoss({ ...plain, reference: { logits: Float32Array.from(reference) } });
    expect(batch.vocab).toBe(vocab);
    expect(loss).toBeCloseTo(want.loss, 6);
    const furthest = (gradLogits as Float32Array).map((g, i) =>
      Math.abs(g - ((want.gradLogits as Float32Array)[i] ?? 1)),
    );
    expect(Math.max(...furthest)).toBeLessThan(1e-8);
  }, 60_000);
});

onEachBackend((backend) => {
  const reference = { logps: referenceLogps };

  it("loss and gradient are those of the plain arrays, padded and packed", async () => {
    const cases: [Tokens | PackedTokens, number[]][] = [
      [padded, [B2, T, vocab]],
      [padded, [B2 * T, vocab]],
      [packed, [rows.packed, vocab]],
      [packed, [1, rows.packed, vocab]],
    ];
    for (const [tokens, dims] of cases) {
      const tensor = float32(dims);
      const got = await backend.logitsLoss({ tokens, ...ortLogits(tensor, tokens), reference });
      expect(got).toEqual(await backend.logitsLoss({ tokens, vocab, logits: tensor.data as Float32Array, reference }));
    }
  });

  it("float16 is read, and the gradient is float16", async () => {
    const weights = { embedding: numbers(vocab * 4, 1, 1), head: numbers(4 * vocab, 1, 2), dim: 4, vocab };
    const input_ids = new ort.Tensor("int64", BigInt64Array.from(padded.inputIds, BigInt), [B2, T]);
    const run = async (type: "float16" | "float32") => {
      const session = await ort.InferenceSession.create(encodeModel(weights, type));
      const { logits } = await session.run({ input_ids });
      if (logits?.type !== type) throw new Error(`expected ${type}, got ${logits?.type}`);
      return backend.logitsLoss({ tokens: padded, ...ortLogits(logits, padded), reference });
    };
    const [half, full] = [await run("float16"), await run("float32")];
    expect(half.loss).toBeCloseTo(full.loss, 4);
    expect(half.gradLogits).toBeInstanceOf(Float16Array);
  });

  it("inPlace puts the gradient into the tensor", async () => {
    const tensor = float32([B2, T, vocab]);
    const batch = { tokens: padded, ...ortLogits(tensor, padded), reference };
    const { gradLogits } = await backend.logitsLoss(batch);
    await backend.logitsLoss(batch, { inPlace: true });
    expect(tensor.data).toEqual(gradLogits);
  });

  it("tokens from tensors are those of the batch", async () => {
    const ids = new ort.Tensor("int64", BigInt64Array.from(padded.inputIds, BigInt), [B2, T]);
    const masks = [
      new ort.Tensor("bool", padded.completionMask, [B2, T]),
      new ort.Tensor("int64", BigInt64Array.from(padded.completionMask, BigInt), [B2, T]),
    ];
    const { data } = float32([B2, T, vocab]);
    const batch = { vocab, logits: data as Float32Array, reference };
    const want = await backend.logitsLoss({ tokens: padded, ...batch });
    for (const mask of masks)
      expect(await backend.logitsLoss({ tokens: ortTokens(ids, mask), ...batch })).toEqual(want);
  });
});

describe("ortLogits", () => {
  it("copies nothing", () => {
    const tensor = float32([B2, T, vocab]);
    expect(ortLogits(tensor, padded)).toEqual({ vocab, logits: tensor.data });
    expect(ortLogits(tensor, padded).logits).toBe(tensor.data);
  });

  it("takes float16 as bits, as older versions have it", () => {
    const data = Uint16Array.from({ length: rows.packed * vocab }, (_, i) => i);
    const tensor = { type: "float16", dims: [rows.packed, vocab], location: "cpu", data };
    expect(ortLogits(tensor, packed)).toEqual({ vocab, logits: { f16: data } });
  });

  it.each<[what: string, dims: number[], tokens: Tokens | PackedTokens, message: RegExp]>([
    [
      "another length",
      [B2, T + 1, vocab],
      padded,
      /^logits: expected \[4, 6, V\] or \[24, V\] \(padded tokens\), got \[4, 7, 19\]$/,
    ],
    ["dimensions in another order", [T, B2, vocab], padded, /got \[6, 4, 19\]$/],
    ["no vocabulary", [B2, T], padded, /got \[4, 6\]$/],
    ["a scalar", [], padded, /got \[\]$/],
    ["one dimension", [rows.packed * vocab], packed, /got \[\d+\]$/],
    [
      "padded logits with packed tokens",
      [B2, T, vocab],
      packed,
      /expected \[12, V\] or \[1, 12, V\] \(packed tokens\)/,
    ],
  ])("refuses %s", (_what, dims, tokens, message) => {
    const tensor = float32(dims);
    expect(() => ortLogits(tensor, tokens)).toThrow(ShapeError);
    expect(() => ortLogits(tensor, tokens)).toThrow(message);
  });

  it.each<[what: string, tensor: unknown, message: RegExp]>([
    [
      "float64",
      new ort.Tensor("float64", new Float64Array(4), [4]),
      /^logits: expected a tensor of float32, float16, got float64$/,
    ],
    ["int64", new ort.Tensor("int64", new BigInt64Array(4), [4]), /got int64$/],
    ["a type of JavaScript's", { type: "toString", dims: [], data: [] }, /got toString$/],
    [
      "data of another type",
      { type: "float32", dims: [4], data: new Float64Array(4) },
      /expected Float32Array in a tensor of float32, got a Float64Array$/,
    ],
    ["a plain array", [1, 2], /expected an ort.Tensor, got a plain array$/],
    ["nothing", undefined, /expected an ort.Tensor, got undefined$/],
  ])("refuses %s", (_what, tensor, message) => {
    const call = () => ortLogits(tensor as OrtTensor, padded);
    expect(call).toThrow(KindError);
    expect(call).toThrow(DpoError);
    expect(call).toThrow(message);
  });

  it("refuses a tensor on a GPU until it is fetched", async () => {
    const data = numbers(B2 * T * vocab, 3, 7);
    const options = { dataType: "float32", dims: [B2, T, vocab], download: async () => data } as const;
    const tensor = ort.Tensor.fromGpuBuffer({} as GPUBuffer, options);
    expect(() => ortLogits(tensor, padded)).toThrow(KindError);
    expect(() => ortLogits(tensor, padded)).toThrow(
      /on the CPU, got one at "gpu-buffer": await its getData\(\) first$/,
    );
    await tensor.getData();
    expect(ortLogits(tensor, padded).logits).toBe(data);
  });

  it("refuses a disposed tensor", () => {
    const tensor = float32([B2, T, vocab]);
    tensor.dispose();
    expect(() => ortLogits(tensor, padded)).toThrow(/^logits: expected a tensor on the CPU, got a disposed one$/);
  });

  it.each([[null], [undefined], [3], ["tokens"]])("refuses %s as tokens", (tokens) => {
    const tensor = float32([B2, T, vocab]);
    expect(() => ortLogits(tensor, tokens as unknown as Tokens)).toThrow(KindError);
  });

  it("refuses tokens without their parts as a matter of shape", () => {
    const tensor = float32([B2, T, vocab]);
    expect(() => ortLogits(tensor, {} as Tokens)).toThrow(ShapeError);
    expect(() => ortLogits(tensor, { offsets: null } as unknown as PackedTokens)).toThrow(ShapeError);
  });
});

describe("ortTokens", () => {
  const ids = (dims: number[]) => new ort.Tensor("int32", new Int32Array(dims.reduce((a, b) => a * b, 1)), dims);

  it.each<[what: string, inputIds: OrtTensor, mask: OrtTensor, message: RegExp]>([
    ["rows that are no pairs", ids([3, T]), ids([3, T]), /^inputIds: expected \[2B, T\], got \[3, 6\]$/],
    ["no rows", ids([0, T]), ids([0, T]), /^inputIds: expected \[2B, T\]/],
    ["three dimensions", ids([2, 2, 2]), ids([2, 2, 2]), /^inputIds: expected \[2B, T\]/],
    ["one dimension", ids([4]), ids([4]), /^inputIds: expected \[2B, T\]/],
    [
      "a mask of other dimensions",
      ids([2, 6]),
      ids([4, 3]),
      /^completionMask: expected \[2, 6\] as inputIds, got \[4, 3\]$/,
    ],
  ])("refuses %s", (_what, inputIds, mask, message) => {
    expect(() => ortTokens(inputIds, mask)).toThrow(ShapeError);
    expect(() => ortTokens(inputIds, mask)).toThrow(message);
  });

  it("refuses floats", () => {
    expect(() => ortTokens(float32([2, 6]), ids([2, 6]))).toThrow(/^inputIds: expected a tensor of int64, int32, got/);
    expect(() => ortTokens(ids([2, 6]), float32([2, 6]))).toThrow(/^completionMask: expected a tensor of int64, int32/);
  });
});
