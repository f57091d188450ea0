// What a service refuses: with a status, the package's code and the field, and never with a fault of its own.

import { describe, expect, test } from "vitest";
import { writeSafetensors } from "../../src/safetensors/write.ts";
import { createService } from "../../src/service.ts";
import { fileOf } from "../support/safetensors.ts";
import { answerOf, linearBatch, logitsBatch, pairs, post, requestOf, rows, service, streamOf } from "./support.ts";

const PAIRS = "/v1/pair-loss";

describe("JSON", () => {
  test.each<[what: string, path: string, body: unknown, status: number, code: string, field: string | undefined]>([
    ["nothing", PAIRS, "", 400, "wrong-kind", "body"],
    ["half a text", PAIRS, '{"policyChosen":[1', 400, "wrong-kind", "body"],
    ["a bare NaN", PAIRS, '{"policyChosen":[NaN]}', 400, "wrong-kind", "body"],
    ["a list", PAIRS, "[]", 422, "wrong-kind", "body"],
    ["null", PAIRS, "null", 422, "wrong-kind", "body"],
    ["no input", PAIRS, "{}", 422, "wrong-kind", "policyChosen"],
    ["NaN as text", PAIRS, { ...pairs, policyChosen: [-1, "NaN", -2] }, 422, "wrong-kind", "policyChosen[1]"],
    ["null among numbers", PAIRS, { ...pairs, policyChosen: [-1, null, -2] }, 422, "wrong-kind", "policyChosen[1]"],
    [
      "a number beyond float64",
      PAIRS,
      JSON.stringify(pairs).replace("-12.1", "-1e999"),
      422,
      "out-of-range",
      "policyChosen[0]",
    ],
    ["a text for a list", PAIRS, { ...pairs, policyChosen: "abc" }, 422, "wrong-kind", "policyChosen"],
    [
      "an object that looks like a list",
      PAIRS,
      { ...pairs, policyChosen: { length: 3 } },
      422,
      "wrong-kind",
      "policyChosen",
    ],
    ["a shorter list", PAIRS, { ...pairs, policyRejected: [-1] }, 422, "wrong-length", "policyRejected"],
    [
      "no pairs",
      PAIRS,
      { policyChosen: [], policyRejected: [], referenceChosen: [], referenceRejected: [] },
      422,
      "wrong-length",
      "policyChosen",
    ],
    ["another name", PAIRS, { ...pairs, policy_chosen: [1] }, 422, "unknown-option", "policy_chosen"],
    ["__proto__", PAIRS, '{"__proto__":{"beta":1}}', 422, "unknown-option", "__proto__"],
    [
      "__proto__ within",
      "/v1/logits-loss",
      JSON.stringify(logitsBatch).replace('"pairs":1', '"pairs":1,"__proto__":{"rows":1}'),
      422,
      "unknown-option",
      "tokens.__proto__",
    ],
    ["constructor", PAIRS, { ...pairs, constructor: { prototype: {} } }, 422, "unknown-option", "constructor"],
    ["a name with a bracket", PAIRS, { ...pairs, "a[0]": 1 }, 422, "unknown-option", "a[0]"],
    ["a name twice", PAIRS, { ...pairs, beta: 1, options: { beta: 2 } }, 422, "unused-option", "beta"],
    ["an unknown loss", PAIRS, { ...pairs, lossType: "dpo" }, 422, "unknown-loss", "lossType"],
    [
      "a loss of one's own",
      PAIRS,
      { ...pairs, lossType: { id: "x", title: "x", params: {}, margin: "d => [d, 1]" } },
      422,
      "wrong-kind",
      undefined,
    ],
    [
      "a running mean",
      PAIRS,
      { ...pairs, lossType: "bco_pair", rewardShift: { mean: 0, count: 1 } },
      422,
      "wrong-kind",
      "rewardShift",
    ],
    ["an option out of range", PAIRS, { ...pairs, beta: -1 }, 422, "out-of-range", "beta"],
    ["an option as text", PAIRS, { ...pairs, beta: "0.1" }, 422, "wrong-kind", "beta"],
    ["an unused option", PAIRS, { ...pairs, discopopTau: 0.1 }, 422, "unused-option", "discopopTau"],
    ["a buffer", PAIRS, { ...pairs, out: {} }, 422, "unused-option", "out"],
    ["a signal", PAIRS, { ...pairs, signal: { aborted: false } }, 422, "unused-option", "signal"],
    ["a negative length", PAIRS, { ...pairs, chosenLengths: [1, -1, 1] }, 422, "out-of-range", "chosenLengths[1]"],
    [
      "a label that is none",
      "/v1/unpaired-loss",
      { ...rows, desirable: [1, 2, 0, 0] },
      422,
      "out-of-range",
      "desirable[1]",
    ],
    [
      "a loss of pairs for rows",
      "/v1/unpaired-loss",
      { ...rows, lossType: "sigmoid" },
      422,
      "unknown-loss",
      "lossType",
    ],
    [
      "an id out of range",
      "/v1/logits-loss",
      change(logitsBatch, "inputIds", [1, 2, 4, 1, 3, 2]),
      422,
      "bad-id",
      "tokens.inputIds[2]",
    ],
    [
      "an id that would wrap around",
      "/v1/logits-loss",
      change(logitsBatch, "inputIds", [1, 2 ** 32, 3, 1, 3, 2]),
      422,
      "out-of-range",
      "tokens.inputIds[1]",
    ],
    [
      "half an id",
      "/v1/logits-loss",
      change(logitsBatch, "inputIds", [1, 0.5, 3, 1, 3, 2]),
      422,
      "out-of-range",
      "tokens.inputIds[1]",
    ],
    [
      "a mask of 257, which a byte would take for 1",
      "/v1/logits-loss",
      change(logitsBatch, "completionMask", [0, 257, 1, 0, 1, 1]),
      422,
      "out-of-range",
      "tokens.completionMask[1]",
    ],
    ["tokens that are none", "/v1/logits-loss", { ...logitsBatch, tokens: 3 }, 422, "wrong-kind", "tokens"],
    [
      "a number of pairs as text",
      "/v1/logits-loss",
      change(logitsBatch, "pairs", "1"),
      422,
      "wrong-kind",
      "tokens.pairs",
    ],
    [
      "too many pairs for the arrays",
      "/v1/logits-loss",
      change(logitsBatch, "pairs", 1000),
      422,
      "wrong-length",
      "tokens.completionMask",
    ],
    [
      "a length of 2^31",
      "/v1/logits-loss",
      change(logitsBatch, "length", 2 ** 31),
      422,
      "out-of-range",
      "tokens.length",
    ],
    ["a logit beyond float32", "/v1/logits-loss", { ...logitsBatch, logits: [1e39] }, 422, "out-of-range", "logits[0]"],
    [
      "lists within lists",
      "/v1/logits-loss",
      {
        ...logitsBatch,
        logits: [
          [1, 2],
          [3, 4],
        ],
      },
      422,
      "wrong-kind",
      "logits[0]",
    ],
    [
      "a vocabulary beyond the limit",
      "/v1/logits-loss",
      { ...logitsBatch, vocab: 2 ** 20 },
      422,
      "out-of-range",
      "vocab",
    ],
    [
      "more pairs than the limit",
      "/v1/logits-loss",
      change(logitsBatch, "pairs", 1e9),
      422,
      "out-of-range",
      "tokens.pairs",
    ],
    ["an adapter that is none", "/v1/linear-loss", { ...linearBatch, lora: [] }, 422, "wrong-kind", "lora"],
    ["a hidden size of another", "/v1/linear-loss", { ...linearBatch, hiddenSize: 3 }, 422, "wrong-length", "hidden"],
  ])("%s", async (_, path, body, status, code, field) => {
    const answer = await post(path, body);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.json).toMatchObject({ status, code, ...(field ? { field } : {}), type: "about:blank" });
    expect(answer.status).toBe(status);
    expect(answer.json["requestId"]).toBe(answer.headers.get("x-request-id"));
  });

  test.each([
    ["lists without end", `{"policyChosen":${"[".repeat(1_000_000)}`, 413],
    ["objects without end", `{"a":`.repeat(1_000_000), 413],
    ["many small lists", `{"policyChosen":[${"[],".repeat(1_000_000)}[]]}`, 413],
    ["more numbers than their bytes say", `{"policyChosen":[${"0,".repeat(2_000_000)}0]}`, 413],
    ["brackets in a text", `{"${"[".repeat(5000)}":1}`, 422],
    ["quotes that are escaped", `{"a\\"${"[".repeat(5000)}":1}`, 422],
    ["bytes that are no UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 400],
  ])("%s", async (_, body, status) => {
    const init = { method: "POST", body, headers: { "content-type": "application/json" } };
    const answer = await answerOf(service.fetch(requestOf(PAIRS, init)));
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.json).length).toBeLessThan(1000);
  });

  function change(batch: typeof logitsBatch, name: string, value: unknown): object {
    return { ...batch, tokens: { ...batch.tokens, [name]: value } };
  }
});

describe("safetensors", () => {
  const f32 = { shape: [1], data: Float32Array.of(-1) };
  const sound = { policyChosen: f32, policyRejected: f32, referenceChosen: f32, referenceRejected: f32 };
  const write = (more: object, metadata = {}) => writeSafetensors({ ...sound, ...more }, metadata);

  test.each<[what: string, body: Uint8Array, code: string, field: string | undefined]>([
    ["nothing", new Uint8Array(0), "wrong-length", "safetensors"],
    ["JSON", new TextEncoder().encode(JSON.stringify(pairs)), "wrong-length", "safetensors"],
    ["a header that lies of its length", fileOf("{}", 0, 2n ** 63n), "wrong-length", "safetensors"],
    ["a file that is cut off", write({}).slice(0, -2), "wrong-length", "safetensors"],
    ["another name", write({ foo: f32 }), "unknown-option", "foo"],
    [
      "__proto__",
      write(JSON.parse('{"__proto__":{"shape":[0],"data":[]}}', (k, v) => (k === "data" ? new Uint8Array() : v))),
      "unknown-option",
      "__proto__",
    ],
    ["names within a field that has none", write({ "policyChosen.x.y": f32 }), "unknown-option", "policyChosen.x.y"],
    ["a name of a million dots", write({ [`tokens${".".repeat(1e6)}`]: f32 }), "unknown-option", undefined],
    [
      "bytes for numbers",
      write({ policyChosen: { shape: [4], data: new Uint8Array(4) } }),
      "wrong-kind",
      "policyChosen",
    ],
    ["a tensor for an option", write({ beta: f32 }), "wrong-kind", "beta"],
    ["an option twice", write({ beta: f32 }, { beta: "0.1" }), "wrong-kind", "beta"],
    ["a word for a number", write({}, { beta: "NaN" }), "wrong-kind", "beta"],
    ["a number out of range", write({}, { beta: "1e999" }), "out-of-range", "beta"],
    ["a list of texts", write({}, { lossType: '["sigmoid","nope"]' }), "unknown-loss", "lossType"],
  ])("%s", async (_, body, code, field) => {
    const init = { method: "POST", body: body.slice(), headers: { "content-type": "application/octet-stream" } };
    const { status, json } = await answerOf(service.fetch(requestOf(PAIRS, init)));
    expect(json).toMatchObject({ status: 422, code, ...(field ? { field } : {}) });
    expect(status).toBe(422);
    expect(JSON.stringify(json).length).toBeLessThan(1200);
  });
});

describe("limits", () => {
  const small = createService({ maxBytes: 1000, maxPairs: 2, maxVocab: 3, maxMillis: 50 });

  test("bytes, whether the request says how many or not", async () => {
    const text = " ".repeat(1001);
    const said = await post(PAIRS, text, small);
    expect([said.status, said.json["field"]]).toEqual([413, "body"]);
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(600));
      },
    });
    const streamed = await answerOf(small.fetch(streamOf(PAIRS, body)));
    expect([streamed.status, streamed.json["code"]]).toEqual([413, "out-of-range"]);
  });

  test("pairs and ids", async () => {
    expect((await post(PAIRS, pairs, small)).json).toMatchObject({ status: 422, field: "policyChosen" });
    expect((await post("/v1/logits-loss", logitsBatch, small)).json).toMatchObject({ status: 422, field: "vocab" });
  });

  test("a body that does not come in time", async () => {
    let isCancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Uint8Array.of(0x7b)),
      cancel: () => {
        isCancelled = true;
      },
    });
    const slow = await answerOf(small.fetch(streamOf(PAIRS, body)));
    expect([slow.status, slow.json["code"]]).toEqual([408, "aborted"]);
    expect(isCancelled).toBe(true);
  });

  test("a body that breaks off", async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error("gone")) });
    const broken = await answerOf(small.fetch(streamOf(PAIRS, body)));
    expect([broken.status, broken.json["code"]]).toEqual([400, "aborted"]);
  });

  test("a caller who leaves", async () => {
    const controller = new AbortController();
    const body = new ReadableStream({});
    const response = service.fetch(streamOf(PAIRS, body, controller.signal));
    controller.abort();
    expect((await response).status).toBeGreaterThanOrEqual(400);
    expect((await response).status).toBeLessThan(500);
  });

  test("half floats and adapters count as all others do", async () => {
    const bits = { dtype: "BF16", shape: [1_000_000], data: new Uint16Array(1_000_000) } as const;
    const n = 2000;
    const tensors = {
      "tokens.offsets": { shape: [3], data: Int32Array.of(0, n, 2 * n) },
      "tokens.targets": { shape: [2 * n], data: new Int32Array(2 * n) },
      hidden: { shape: [2 * n], data: new Float32Array(2 * n) },
      "reference.logps": { shape: [2], data: new Float32Array(2) },
    };
    const send = (more: object): Promise<Response> => {
      const metadata = { "tokens.pairs": "1", vocab: "2000", hiddenSize: "1", "lora.rank": "1", "lora.scale": "1" };
      const body = writeSafetensors({ ...tensors, ...more }, metadata);
      const headers = { "content-type": "application/octet-stream" };
      return createService({ maxMillis: 500 }).fetch(requestOf("/v1/linear-loss", { method: "POST", body, headers }));
    };
    expect((await send({ weight: bits })).status).toBe(413);
    expect((await send({ "lora.b": { shape: [1_000_000], data: new Float32Array(1_000_000) } })).status).toBe(413);
  });

  test("computation that would take too long is not begun", async () => {
    const quick = createService({ maxMillis: 1 });
    const n = 2000;
    const tokens = { pairs: 1, offsets: [0, n, 2 * n], targets: Array.from({ length: 2 * n }, () => 0) };
    const body = {
      tokens,
      vocab: 2000,
      hiddenSize: 1,
      hidden: Array(2 * n).fill(0),
      weight: Array(2000).fill(0),
      reference: { logps: [0, 0] },
    };
    const { json } = await post("/v1/linear-loss", body, quick);
    expect(json).toMatchObject({
      status: 413,
      field: "body",
      detail: expect.stringMatching(/at most 1 ms of computation/),
    });
    expect((await post("/v1/linear-loss", body)).status).toBe(200);
  });
});
