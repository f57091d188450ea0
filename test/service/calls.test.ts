// Every call over HTTP gives what the library gives, bit by bit: as JSON and as safetensors.

import { describe, expect, test } from "vitest";
import { createBackend } from "../../src/backends/select.ts";
import type { TensorToWrite } from "../../src/safetensors/write.ts";
import { calls, runCall, type ServiceCall } from "../../src/service/calls.ts";
import { type Fields, isValue } from "../../src/service/fields.ts";
import {
  linearBatch,
  logitsBatch,
  pairs,
  post,
  postTensors,
  requestOf,
  service,
  tokens,
  rows as unpaired,
} from "./support.ts";

const backend = await createBackend();

const { reference: _, ...logits } = logitsBatch;
const { reference: _head, ...head } = linearBatch;
const packed = { pairs: 1, offsets: [0, 2, 3], targets: [1, 3, 2], lengths: [3, 1] };
const rows = { rows: 3, offsets: [0, 2, 3, 3], targets: [1, 3, 2] };
const lora = { a: [0.5, -0.25], b: [1, 2, 3, -1], rank: 1, scale: 0.5 };

const { pairs: _pairs, ...unpairedTokens } = tokens;
const labelled = { rows: 2, ...unpairedTokens };
const labels = { desirable: [0, 1], kl: { policy: [-2, -1], reference: [-1, -2] } };

type Batch = Record<string, unknown>;

const cases: [path: string, what: string, input: Batch, options: Batch][] = [
  ["/v1/pair-loss", "the default", pairs, {}],
  ["/v1/pair-loss", "several losses", pairs, { lossType: ["sigmoid", "ipo"], lossWeights: [0.7, 0.3], beta: 0.25 }],
  ["/v1/pair-loss", "full metrics", { ...pairs, pairWeights: [1, 0.5, 2] }, { metrics: "full", gradScale: 2 }],
  ["/v1/pair-loss", "a shift of rewards", pairs, { lossType: "bco_pair", rewardShift: 0.5 }],
  [
    "/v1/unpaired-loss",
    "kto",
    { ...unpaired, klPolicy: [-3, -4], klReference: [-3.5, -4] },
    { lossType: "kto", desirableWeight: 2 },
  ],
  ["/v1/unpaired-loss", "bco", { ...unpaired, densityRatio: [1, 0.5, 1, 2] }, { lossType: "bco", metrics: "full" }],
  ["/v1/sequence-logps", "logits", logits, { temperature: 2 }],
  ["/v1/sequence-logps", "a head, with entropy", head, { entropy: true, metrics: "full" }],
  ["/v1/sequence-logps", "rows without partners", { ...logits, tokens: rows, logits: logits.logits.slice(0, 12) }, {}],
  ["/v1/sequence-logps-grad", "logits", { ...logits, gradients: { logps: [1, -0.5] } }, {}],
  ["/v1/sequence-logps-grad", "a head", { ...head, gradients: { entropy: [0, 1, 2, 0, 1, 2] } }, { gradScale: 3 }],
  ["/v1/logits-loss", "padded", logitsBatch, { lossType: "robust", labelSmoothing: 0.1 }],
  [
    "/v1/logits-loss",
    "packed",
    { ...logitsBatch, tokens: packed, logits: logits.logits.slice(0, 12) },
    { lossType: "sigmoid_norm" },
  ],
  [
    "/v1/logits-loss",
    "weighted",
    { ...logitsBatch, reference: { logits: logits.logits.map((x) => x / 2) } },
    { weighting: "wpo" },
  ],
  [
    "/v1/logits-loss",
    "rows",
    { ...logits, tokens: labelled, reference: { logps: [-2, -3] }, ...labels },
    { lossType: "kto" },
  ],
  [
    "/v1/linear-loss",
    "rows",
    { ...head, tokens: labelled, reference: { logps: [-2, -3] }, desirable: [1, 0] },
    { lossType: "bco" },
  ],
  ["/v1/linear-loss", "a reference's head", linearBatch, { lossType: "hinge", ldAlpha: 0.5 }],
  ["/v1/linear-loss", "an adapter", { ...head, bias: undefined, lora, reference: { logps: [-2, -3] } }, {}],
];

const arrayOf = (kind: string, list: readonly number[]): TensorToWrite["data"] =>
  kind === "numbers"
    ? Float64Array.from(list)
    : kind === "flags"
      ? Uint8Array.from(list)
      : kind === "floats"
        ? Float32Array.from(list)
        : kind === "mask"
          ? Uint8Array.from(list)
          : Int32Array.from(list);

/** Calls `use` with each value of a request, the path of its name, and what kind it is. */
function walk(
  input: Batch,
  fields: Fields,
  use: (path: string, value: unknown, kind: string) => void,
  prefix = "",
): void {
  for (const [name, value] of Object.entries(input)) {
    const field = fields[name];
    if (value === undefined || !field) continue;
    if (isValue(field)) use(`${prefix}${name}`, value, field.kind);
    else walk(value as Batch, field.fields, use, `${prefix}${name}.`);
  }
}

/** The same input as the library takes it. */
function typed(input: Batch, fields: Fields): Batch {
  const made: Batch = {};
  walk(input, fields, (path, value, kind) => {
    const names = path.split(".");
    const last = names.pop() as string;
    const at = names.reduce((record: Batch, name) => {
      record[name] ??= {};
      return record[name] as Batch;
    }, made);
    at[last] = Array.isArray(value) ? arrayOf(kind, value) : value;
  });
  return made;
}

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part) => (ArrayBuffer.isView(part) ? Array.from(part as Float32Array) : part)));

describe.each(cases)("%s: %s", (path, _what, input, options) => {
  const call = calls.find((one) => one.path === path) as ServiceCall;
  const expected = (): Record<string, unknown> =>
    runCall(call, backend, { input: typed(input, call.fields), options: { ...options } }) as Record<string, unknown>;

  test("JSON, side by side and in groups", async () => {
    const { status, json } = await post(path, { ...input, ...options });
    expect([status, json]).toEqual([200, plain(expected())]);
    const { gradients, ...batch } = input;
    const grouped = { [call.argument]: batch, options, ...(gradients ? { gradients } : {}) };
    expect((await post(path, grouped)).json).toEqual(json);
  });

  test("safetensors", async () => {
    const tensors: Record<string, TensorToWrite> = {};
    const metadata = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
    );
    walk(input, call.fields, (name, value, kind) => {
      if (!Array.isArray(value)) metadata[name] = String(value);
      else tensors[name] = { shape: [value.length], data: arrayOf(kind, value) };
    });
    const answer = await postTensors(path, tensors, { ...metadata, format: "pt" });
    const { metrics = {}, loss, ...arrays } = expected();
    const numbers: Record<string, number> = loss === undefined ? {} : { loss: loss as number };
    for (const [key, value] of Object.entries(metrics as object)) numbers[`metrics.${key}`] = value;
    expect(answer.metadata).toEqual(Object.fromEntries(Object.entries(numbers).map(([name, x]) => [name, String(x)])));
    for (const [name, x] of Object.entries(numbers)) {
      expect(answer.tensors[name]).toEqual({ dtype: "F64", shape: [], data: Float64Array.of(x) });
    }
    for (const [name, array] of Object.entries(arrays)) expect(answer.tensors[name]?.data, name).toStrictEqual(array);
    expect(Object.keys(answer.tensors).length).toBe(Object.keys(numbers).length + Object.keys(arrays).length);
  });
});

test("every call is tried", () => {
  expect(new Set(cases.map(([path]) => path))).toEqual(new Set(calls.map(({ path }) => path)));
});

const half = (path: string, accept: string): Promise<Response> => {
  const logits = {
    dtype: "BF16",
    shape: [2, 3, 4],
    data: Uint16Array.from({ length: 24 }, (_, i) => 0x3f80 + i),
  } as const;
  return postRaw(path, accept, { logits, ...idTensors }, { "tokens.pairs": "1", "tokens.length": "3", vocab: "4" });
};

const idTensors = {
  "tokens.inputIds": { shape: [2, 3], data: BigInt64Array.from(tokens.inputIds, BigInt) },
  "tokens.completionMask": { dtype: "BOOL", shape: [2, 3], data: Uint8Array.from(tokens.completionMask) },
  "reference.logps": { shape: [2], data: Float32Array.of(-2.5, -3) },
} as const;

async function postRaw(
  path: string,
  accept: string,
  tensors: Record<string, TensorToWrite>,
  metadata: Record<string, string>,
) {
  const { writeSafetensors } = await import("../../src/safetensors/write.ts");
  const headers = { "content-type": "application/x-safetensors", accept };
  return service.fetch(requestOf(path, { method: "POST", headers, body: writeSafetensors(tensors, metadata) }));
}

describe("half floats", () => {
  test("come back as they came, in the shape in which they came", async () => {
    const { readSafetensors } = await import("../../src/safetensors/read.ts");
    const { tensors } = readSafetensors(await (await half("/v1/logits-loss", "*/*")).arrayBuffer());
    expect(tensors["gradLogits"]).toMatchObject({ dtype: "BF16", shape: [2, 3, 4] });
    expect(tensors["tokenLogps"]?.shape).toEqual([2, 3]);
  });

  test("are float32 in JSON", async () => {
    const response = await half("/v1/logits-loss", "application/json");
    expect(response.headers.get("content-type")).toBe("application/json");
    const { gradLogits, loss } = await response.json();
    expect([gradLogits.length, typeof loss]).toEqual([24, "number"]);
    expect(gradLogits.some((x: number) => x !== 0)).toBe(true);
  });
});

test("what JSON has no numbers for is text", async () => {
  const policyChosen = { shape: [1], data: Float32Array.of(NaN) };
  const other = { shape: [1], data: Float32Array.of(-1) };
  const sent = { policyChosen, policyRejected: other, referenceChosen: other, referenceRejected: other };
  const response = await postRaw("/v1/pair-loss", "application/json", sent, {});
  expect(await response.json()).toMatchObject({ loss: "NaN", losses: ["NaN"], gradChosen: ["NaN"] });
});
