// createScorer over models made for the purpose: every form of a model and of its output, batches, padding, what is asked of a
// session, what is given back, progress, signals, refusals.

import { describe, expect, it } from "vitest";
import { createJs, DpoError, KindError, ParamError, ShapeError } from "../../src/index.ts";
import { createScorer, type ModelBatch, type ScorerOptions } from "../../src/text.ts";
import type { WebGpuBackend } from "../../src/webgpu.ts";
import { onEachBackend } from "../support/backends.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { toBuffer } from "../support/gpu-buffers.ts";
import { toBits } from "../support/half.ts";

const [V, D] = [11, 4];
const js = createJs();

/** A token's hidden state depends on itself, on the one before it and on where it stands: of padding nothing may be seen. */
function stateOf(id: number, before: number, position: number): number[] {
  return Array.from({ length: D }, (_, i) => Math.sin(1.7 * id + 0.6 * before + 0.3 * position + i));
}
const weight = Float32Array.from({ length: V * D }, (_, at) => Math.cos(at * at));
const head = { weight, vocab: V, hiddenSize: D };

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a, (x, i) => x * (b[i] as number)).reduce((sum, x) => sum + x, 0);
const logitsOf = (state: readonly number[]): number[] =>
  Array.from({ length: V }, (_, v) => dot(state, weight.subarray(v * D, (v + 1) * D)));

/** Hidden states of a batch from a position on; nonsense where there is padding. */
function statesOf({ rows, length, inputIds, attentionMask, positionIds }: ModelBatch, from = 0): number[][] {
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: length - from }, (_, k) => {
      const at = r * length + from + k;
      if (attentionMask[at] === 0) return [9, 9, -9, 99];
      const position = positionIds[at] as number;
      return stateOf(inputIds[at] as number, position > 0 ? (inputIds[at - 1] as number) : 0, position);
    }),
  ).flat();
}
const statesModel = (batch: ModelBatch) => ({ hidden: Float32Array.from(statesOf(batch).flat()) });
const logitsModel = (batch: ModelBatch) => Float32Array.from(statesOf(batch).flatMap(logitsOf));

/** One sequence by itself, in float64. */
function logpsOf(prompt: readonly number[], completion: readonly number[]): number[] {
  const ids = [...prompt, ...completion];
  return completion.flatMap((id, k) => {
    const at = prompt.length + k - 1;
    if (at < 0) return [];
    const logits = logitsOf(stateOf(ids[at] as number, at > 0 ? (ids[at - 1] as number) : 0, at));
    return [(logits[id] as number) - Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0))];
  });
}

const examples = [
  { prompt: [1, 2, 3], chosen: [4, 5], rejected: [6] },
  { prompt: [], chosen: [7, 8, 9], rejected: [10] },
  { prompt: [3, 3, 3, 3, 3, 3, 3, 3], chosen: [], rejected: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
  { prompt: [5], chosen: [0, 0, 1], rejected: [2, 2] },
];
const sides = [
  ...examples.map(({ prompt, chosen }) => [prompt, chosen]),
  ...examples.map(({ prompt, rejected }) => [prompt, rejected]),
];
const wanted = sides.map(([prompt = [], completion = []]) => logpsOf(prompt, completion));
const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

function expectScores(got: { logps: Float64Array; tokenLogps: Float32Array[] }, within = 1e-5): void {
  expect(got.tokenLogps.map(({ length }) => length)).toEqual(wanted.map(({ length }) => length));
  for (const [i, tokens] of wanted.entries()) {
    expect(Math.abs((got.logps[i] as number) - sum(tokens))).toBeLessThan(within);
    for (const [k, logp] of tokens.entries())
      expect(Math.abs((got.tokenLogps[i]?.[k] as number) - logp)).toBeLessThan(within);
  }
}

/** An ONNX session in name: it takes and gives tensors, and notes what becomes of them. */
function fakeSession(outputs: Record<string, (batch: ModelBatch) => unknown>, more: Record<string, object> = {}) {
  const shape = ["batch", "sequence"];
  const inputs = { input_ids: {}, attention_mask: {}, position_ids: {}, ...more };
  const seen = {
    feeds: [] as Record<string, { type: string; dims: number[]; data: ArrayLike<unknown> }>[],
    disposed: 0,
    made: 0,
  };
  const session = {
    inputNames: Object.keys(inputs),
    outputNames: Object.keys(outputs),
    inputMetadata: Object.entries(inputs).map(([name, own]) => ({
      name,
      isTensor: true,
      type: "int64",
      shape,
      ...own,
    })),
    async run(
      feeds: Record<string, { type: string; dims: number[]; data: ArrayLike<unknown> }>,
      fetches: readonly string[],
    ) {
      seen.feeds.push(feeds);
      const [rows = 0, length = 0] = feeds["input_ids"]?.dims ?? [];
      const ints = (name: string) => Int32Array.from(Array.from(feeds[name]?.data ?? [], Number));
      const keep = Number(feeds["num_logits_to_keep"]?.data[0] ?? 0);
      const mask = ints("attention_mask");
      const batch: ModelBatch = {
        ...{ rows, length, inputIds: ints("input_ids"), positionIds: ints("position_ids") },
        ...{
          attentionMask: Uint8Array.from(mask),
          completionMask: new Uint8Array(),
          logitsFrom: keep > 0 ? length - keep : 0,
        },
      };
      const tensors = fetches.map((name) => {
        seen.made++;
        return [name, Object.assign(outputs[name]?.(batch) as object, { dispose: () => seen.disposed++ })];
      });
      return Object.fromEntries(tensors);
    },
  };
  return { session, seen };
}
const tensor = (batch: ModelBatch, data: ArrayBufferView, width: number, more: object = {}) => {
  const positions = (data as Float32Array).length / width / batch.rows;
  return { type: "float32", dims: [batch.rows, positions, width], data, location: "cpu", ...more };
};
const trailingLogits = (batch: ModelBatch) =>
  tensor(batch, Float32Array.from(statesOf(batch, batch.logitsFrom).flatMap(logitsOf)), V);

onEachBackend((backend) => {
  const score = (options: Omit<ScorerOptions, "backend">) => createScorer({ backend, ...options }).logps(examples);

  it("gives the log-probs of each sequence by itself, from logits and from hidden states", async () => {
    expectScores(await score({ model: logitsModel, vocab: V }));
    expectScores(await score({ model: statesModel, head }));
  });

  it("logits of the last positions, as a session that is asked for them", async () => {
    const { session, seen } = fakeSession({ logits: trailingLogits }, { num_logits_to_keep: { shape: [] } });
    for (const paddingSide of ["left", "right"] as const) {
      expectScores(await score({ model: session, paddingSide, batchTokens: 30 }));
    }
    expect(seen.disposed).toBe(seen.made);
  });
});

const score = (options: Omit<ScorerOptions, "backend">) => createScorer({ backend: js, ...options }).logps(examples);

describe("batches", () => {
  it.each([1, 10, 17, 30, 1000])("of %d tokens, padded on either side: the same numbers", async (batchTokens) => {
    for (const paddingSide of ["left", "right"] as const) {
      const sizes: number[] = [];
      const model = (batch: ModelBatch) => {
        if (batch.rows > 1) sizes.push(batch.rows * batch.length);
        return logitsModel(batch);
      };
      expectScores(await score({ model, vocab: V, batchTokens, paddingSide }));
      expect(sizes.every((size) => size <= batchTokens)).toBe(true);
    }
  });

  it("sequences without a token that counts never reach the model", async () => {
    const seen: number[] = [];
    const scorer = createScorer({
      backend: js,
      vocab: V,
      model: (batch) => {
        seen.push(batch.rows);
        return logitsModel(batch);
      },
    });
    const got = await scorer.logps([{ prompt: [], chosen: [4], rejected: [] }]);
    expect([seen, [...got.logps], [...got.lengths]]).toEqual([[], [0, 0], [1, 0]]);
  });

  it("of pairs, the sides are named; of one completion each, there are none", async () => {
    const got = await score({ model: logitsModel, vocab: V });
    expect([...got.chosenLengths, ...got.rejectedLengths]).toEqual([2, 3, 0, 3, 1, 1, 9, 2]);
    expect([...got.chosenLogps, ...got.rejectedLogps]).toEqual([...got.logps]);
    const rows = examples.map(({ prompt, rejected }, i) => ({
      prompt_ids: prompt,
      completion_ids: rejected,
      label: i > 1,
    }));
    const scorer = createScorer({ backend: js, model: logitsModel, vocab: V });
    expect([...(await scorer.logps(rows)).logps]).toEqual([...got.rejectedLogps]);
    const old = rows.map((row) => ({ prompt_input_ids: row.prompt_ids, completion_input_ids: row.completion_ids }));
    expect([...(await scorer.logps(old)).logps]).toEqual([...got.rejectedLogps]);
    const plain = examples.map(({ prompt, rejected }) => ({ prompt, completion: rejected }));
    expect([...(await scorer.logps(plain)).logps]).toEqual([...got.rejectedLogps]);
  });

  it("sequences are cut as collate cuts them", async () => {
    const cut = (options: object) =>
      createScorer({ backend: js, model: logitsModel, vocab: V, ...options }).logps(examples);
    expect([...(await cut({ maxLength: 4 })).lengths]).toEqual([1, 3, 0, 3, 1, 1, 0, 2]);
    expect([...(await cut({ maxLength: 4, truncationMode: "keep_end" })).lengths]).toEqual([2, 3, 0, 3, 1, 1, 4, 2]);
  });

  it("token ids of any kind: typed arrays, 64-bit integers, tensors, TRL's names", async () => {
    const want = (await score({ model: logitsModel, vocab: V })).logps;
    const int64 = (ids: readonly number[]) => BigInt64Array.from(ids, BigInt);
    const forms = [
      examples.map((e) => ({ prompt: int64(e.prompt), chosen: int64(e.chosen), rejected: int64(e.rejected) })),
      examples.map((e) => ({ prompt_ids: e.prompt, chosen_ids: e.chosen, rejected_ids: e.rejected, chosen: "a text" })),
      examples.map((e) => ({ ...e, prompt: { data: int64(e.prompt), dims: [1, e.prompt.length] } })),
    ];
    for (const form of forms) {
      const got = await createScorer({ backend: js, model: logitsModel, vocab: V }).logps(form as never);
      expect([...got.logps]).toEqual([...want]);
    }
  });
});

describe("what a session is asked", () => {
  it("integers as it wants them, positions from each row's first token, nothing of the past", async () => {
    const shape = ["batch_size", 2, "past_sequence_length", 4];
    const { session, seen } = fakeSession(
      { logits: trailingLogits, "present.0.key": () => ({}) },
      {
        attention_mask: { type: "int32" },
        "past_key_values.0.key": { type: "float32", shape },
        past_conv: { type: "float16", shape: ["batch_size", 3] },
        ...{ num_logits_to_keep: { shape: [1] }, token_type_ids: {}, use_cache_branch: { type: "bool", shape: [1] } },
      },
    );
    expectScores(await score({ model: session, paddingSide: "left" }));
    const [feeds] = seen.feeds;
    const rows = feeds?.["input_ids"]?.dims[0];
    expect(feeds?.["input_ids"]).toMatchObject({ type: "int64", dims: [rows, 17], data: expect.any(BigInt64Array) });
    expect(feeds?.["attention_mask"]).toMatchObject({ type: "int32", data: expect.any(Int32Array) });
    expect(feeds?.["past_key_values.0.key"]).toMatchObject({
      type: "float32",
      dims: [rows, 2, 0, 4],
      data: new Float32Array(),
    });
    expect(feeds?.["past_conv"]).toMatchObject({
      type: "float16",
      dims: [rows, 3],
      data: new Uint16Array(3 * (rows ?? 0)),
    });
    expect(feeds?.["num_logits_to_keep"]).toMatchObject({ dims: [1], data: BigInt64Array.of(10n) });
    expect(feeds?.["token_type_ids"]?.data).toEqual(new BigInt64Array(17 * (rows ?? 0)));
    expect(feeds?.["use_cache_branch"]).toMatchObject({ type: "bool", data: Uint8Array.of(0) });
    // Of the outputs the logits alone.
    expect([seen.made, seen.disposed]).toEqual([seen.feeds.length, seen.feeds.length]);
  });

  it("a model of transformers.js is its session; with a head, hidden states are read", async () => {
    const outputs = {
      logits: () => {
        throw new Error("nobody wants these");
      },
      last_hidden_state: (batch: ModelBatch) => tensor(batch, Float32Array.from(statesOf(batch).flat()), D),
    };
    const { session, seen } = fakeSession(outputs);
    const model = Object.assign(
      () => {
        throw new Error("not called");
      },
      { sessions: { model: session } },
    );
    expectScores(await score({ model, head }));
    expect(seen.disposed).toBe(seen.made);
  });

  it("pads on the side that the tokenizer names, where the session can be told", async () => {
    const tokenizer = Object.assign(() => [], { padding_side: "left", pad_token_id: 7 });
    const firstIds = async (session: ReturnType<typeof fakeSession>, options = {}): Promise<unknown> => {
      await score({ model: session.session, tokenizer, ...options });
      const { dims = [], data = [] } = session.seen.feeds[0]?.["input_ids"] ?? {};
      const length = dims[1] as number;
      const last = Array.from(data, Number).slice(-length);
      return last[0] === 7 ? "left" : last.at(-1) === 7 ? "right" : last;
    };
    expect(await firstIds(fakeSession({ logits: trailingLogits }))).toBe("left");
    expect(await firstIds(fakeSession({ logits: trailingLogits }), { paddingSide: "right" })).toBe("right");
    const blind = fakeSession({ logits: trailingLogits });
    blind.session.inputNames = ["input_ids", "attention_mask"];
    await score({ model: blind.session, tokenizer }).catch(() => {});
    expect(Array.from(blind.seen.feeds[0]?.["input_ids"]?.data ?? [], Number).at(-1)).toBe(7);
    await expect(score({ model: blind.session, paddingSide: "left" })).rejects.toThrow(
      'paddingSide: expected "right" for a model without inputs attention_mask and position_ids, got "left"',
    );
  });
});

describe("what a model gives", () => {
  const float16 = (batch: ModelBatch) => toBits("f16", Float32Array.from(statesOf(batch).flatMap(logitsOf)));
  it.each<[string, (batch: ModelBatch) => unknown, number]>([
    ["an array", logitsModel, 1e-5],
    ["a promise", async (batch) => logitsModel(batch), 1e-5],
    ["{ logits }", (batch) => ({ logits: logitsModel(batch) }), 1e-5],
    ["bits of float16", (batch) => ({ f16: float16(batch) }), 0.05],
    ["a tensor", (batch) => tensor(batch, logitsModel(batch), V), 1e-5],
    ["a flat tensor", (batch) => tensor(batch, logitsModel(batch), V, { dims: [batch.rows * batch.length, V] }), 1e-5],
    ["a tensor of float16, as bits", (batch) => tensor(batch, float16(batch), V, { type: "float16" }), 0.05],
    [
      "a tensor of float16",
      (batch) => tensor(batch, new Float16Array(float16(batch).buffer), V, { type: "float16" }),
      0.05,
    ],
    [
      "a tensor on a GPU that is not the backend's",
      (batch) => {
        const there = { location: "gpu-buffer", data: undefined, getData: async () => logitsModel(batch) };
        return tensor(batch, logitsModel(batch), V, there);
      },
      1e-5,
    ],
    ["hidden states", statesModel, 1e-5],
    ["a tensor of hidden states", (batch) => ({ hidden: tensor(batch, statesModel(batch).hidden, D) }), 1e-5],
  ])("%s", async (_name, model, within) => {
    expectScores(await score({ model: model as never, vocab: V, head }), within);
  });

  it("tensors are given back, also when they are refused", async () => {
    let disposed = 0;
    const dispose = () => disposed++;
    const model = (batch: ModelBatch) => tensor(batch, logitsModel(batch), V, { dispose });
    await score({ model: model as never });
    expect(disposed).toBeGreaterThan(0);
    const wrong = (batch: ModelBatch) => tensor(batch, logitsModel(batch), V, { dispose, type: "int8" });
    disposed = 0;
    await expect(score({ model: wrong as never })).rejects.toThrow(
      'model\'s logits: expected float32 or float16, got "int8"',
    );
    expect(disposed).toBe(1);
  });

  it("transforms of logits apply", async () => {
    const double = (batch: ModelBatch) => logitsModel(batch).map((x) => 2 * x);
    expectScores(await score({ model: double, vocab: V, temperature: 2 }));
  });
});

describe("progress and signals", () => {
  it("tells of sequences, those that never reach the model included", async () => {
    const told: number[][] = [];
    const onProgress = (done: number, total: number) => told.push([done, total]);
    await score({ model: logitsModel, vocab: V, batchTokens: 1, onProgress });
    // One completion is empty, and one is a first token that nothing predicts.
    expect(told).toEqual([3, 4, 5, 6, 7, 8].map((done) => [done, 8]));
  });

  it("a signal ends the call between two batches; one that is aborted before lets it not begin", async () => {
    const controller = new AbortController();
    let runs = 0;
    const model = (batch: ModelBatch) => {
      runs++;
      controller.abort("enough");
      return logitsModel(batch);
    };
    const scorer = createScorer({ backend: js, model, vocab: V, batchTokens: 1 });
    const { signal } = controller;
    await expect(scorer.logps(examples, { signal })).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    await expect(scorer.logps(examples, { signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(runs).toBe(1);
  });

  it("what a model throws comes through; a backend of its own is made and ended", async () => {
    const failing = () => {
      throw new Error("out of memory");
    };
    await expect(score({ model: failing })).rejects.toThrow("out of memory");
    await using scorer = createScorer({ model: logitsModel, vocab: V });
    expectScores(await scorer.logps(examples));
  });
});

describe("refusals", () => {
  const sessions = (names: string[]) => ({ sessions: Object.fromEntries(names.map((name) => [name, {}])) });
  const bare = (inputNames: string[], outputNames = ["logits"]) => ({ inputNames, outputNames, run: async () => ({}) });
  it.each<[string, object, string]>([
    [
      "no model",
      { model: undefined },
      "model: expected one of transformers.js, a session, or a function, got undefined",
    ],
    ["a name", { model: "gpt2" }, "model: expected one of transformers.js, a session, or a function, got a string"],
    [
      "several sessions",
      { model: sessions(["encoder", "decoder"]) },
      "model: expected a language model of one session, got encoder, decoder",
    ],
    ["no logits", { model: bare(["input_ids"], ["embeddings"]) }, "model: expected an output logits, got embeddings"],
    ["a side", { model: logitsModel, paddingSide: "top" }, 'paddingSide: expected "left" or "right", got "top"'],
    ["batchTokens", { model: logitsModel, batchTokens: 0 }, "batchTokens: expected an integer in 1..2147483647, got 0"],
    ["an option", { model: logitsModel, batchSize: 8 }, "batchSize"],
  ])("%s, at once", (_name, options, message) => {
    const make = () => createScorer(options as ScorerOptions);
    expect(make).toThrow(DpoError);
    expect(make).toThrow(message);
  });

  it.each<[string, object, unknown, typeof KindError | typeof ParamError | typeof ShapeError, string]>([
    ["no list", {}, {}, KindError, "examples: expected a list, got an object"],
    ["none", {}, [], ShapeError, "examples: expected at least one, got 0"],
    [
      "texts without a tokenizer",
      {},
      [{ chosen: "a", rejected: "b" }],
      ParamError,
      "tokenizer: expected with texts or messages, got nothing",
    ],
    [
      "a pair after a completion",
      {},
      [{ prompt: [1], completion: [2] }, examples[0]],
      KindError,
      "examples[1]: expected a completion, as in the first, got a pair",
    ],
    ["an id that is none", {}, [{ prompt: [1], chosen: [0.5], rejected: [1] }], ParamError, "examples[0].chosen[0]"],
    [
      "an id beyond the vocabulary",
      {},
      [{ prompt: [1], chosen: [V], rejected: [1] }],
      ParamError,
      `expected an id in 0..${V - 1}, got ${V}`,
    ],
    [
      "plain arrays without vocab",
      { vocab: undefined },
      examples,
      KindError,
      "vocab: expected with a model that gives plain arrays, got nothing",
    ],
    [
      "hidden states without a head",
      { model: statesModel },
      examples,
      ParamError,
      "head: expected with a model that gives hidden states, got nothing",
    ],
    [
      "logits that are too few",
      { model: () => new Float32Array(V) },
      examples,
      ShapeError,
      "model's logits: expected [",
    ],
    [
      "another vocabulary",
      { model: (batch: ModelBatch) => tensor(batch, logitsModel(batch), V), vocab: 12 },
      examples,
      ShapeError,
      "model's logits: expected rows of 12 numbers, got 11",
    ],
    [
      "an input of which nothing is known",
      { model: bare(["input_ids", "pixel_values"]) },
      examples,
      ParamError,
      'model: expected inputs of a language model, got one that is called "pixel_values"',
    ],
    [
      "no input_ids",
      { model: bare(["inputs_embeds"]) },
      examples,
      ParamError,
      "model: expected an input input_ids, got inputs_embeds",
    ],
    [
      "a past of which nothing is known",
      { model: bare(["input_ids", "past_key_values.0.key"]) },
      examples,
      ParamError,
      "model: expected metadata of its input past_key_values.0.key, got undefined",
    ],
  ])("%s", async (_name, options, given, kind, message) => {
    const call = createScorer({ model: logitsModel, vocab: V, backend: js, ...options }).logps(given as never);
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(message);
  });
});

onDawn("on WebGPU", () => {
  it("logits on the backend's GPU are read where they lie", async () => {
    const { createWebGpu } = await import("../../src/webgpu.ts");
    const gpu: WebGpuBackend = await createWebGpu({ adapter: await adapterOfDawn() });
    for (const type of ["float32", "float16"] as const) {
      const model = (batch: ModelBatch) => {
        const values = logitsModel(batch);
        const { buffer } = toBuffer(gpu.device, type === "float32" ? values : toBits("f16", values));
        const there = {
          type,
          location: "gpu-buffer",
          gpuBuffer: buffer,
          data: undefined,
          dispose: () => buffer.destroy(),
        };
        return tensor(batch, values, V, there);
      };
      const got = await createScorer({ backend: gpu, model: model as never }).logps(examples);
      expectScores(got, type === "float32" ? 1e-5 : 0.05);
    }
    gpu.dispose();
  });
});
