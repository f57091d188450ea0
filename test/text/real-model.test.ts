// A real language model through transformers.js and through ONNX Runtime alone: the same log-probs of real pairs, however they are
// batched and padded, and those that were recorded. The texts are offensive: nothing here may print them or their tokens.

import { beforeAll, describe, expect, it } from "vitest";
import { hiddenStates, multiply, readModel } from "../../examples/real-model/model.ts";
import { readPairs, type TokenLists, tokenise } from "../../examples/real-model/pairs.ts";
import { readTokenizer } from "../../examples/real-model/tokenizer.ts";
import { readTensor } from "../../examples/safetensors.ts";
import { type Backend, createWasm } from "../../src/index.ts";
import {
  createScorer,
  type ModelBatch,
  type ModelFunction,
  type ModelSession,
  type ModelTensor,
  type PairRow,
  type PairScores,
  type ScorerOptions,
  type SessionModel,
  type TextTokenizer,
} from "../../src/text.ts";
import { chatTemplate, loadModel, loadSession, loadTokenizer, missing, readShared } from "./support.ts";

type Recorded = Record<
  "policy_chosen_logps" | "policy_rejected_logps" | "ref_chosen_logps" | "ref_rejected_logps" | "chosen_length",
  number
>;

const furthest = (got: ArrayLike<number>, want: ArrayLike<number>): number =>
  Array.from(got, (x, i) => Math.abs(x - (want[i] ?? Number.NaN))).reduce((most, x) => Math.max(most, x), 0);

describe.skipIf(missing !== "")(`stories260k-hf${missing}`, () => {
  let model: SessionModel;
  let tokenizer: TextTokenizer;
  let node: ModelSession;
  let web: ModelSession;
  let indices: number[];
  let recorded: Recorded[];
  /** As the record was made: docs in ../shared/data/README.md. */
  let examples: TokenLists[];
  let backend: Backend;

  beforeAll(async () => {
    backend = await createWasm();
    [model, tokenizer, node, web] = await Promise.all([
      loadModel(),
      loadTokenizer(),
      loadSession("onnxruntime-node"),
      loadSession("onnxruntime-web"),
    ]);
    const pairs = readPairs(readShared("data/hh-rlhf-harmless-base-test.jsonl.gz"));
    const encoder = readTokenizer(readShared("data/tok512.bin"));
    indices = pairs.flatMap((_, i) => (i % 144 === 0 ? i : []));
    examples = indices.map((i) => tokenise(pairs[i] as (typeof pairs)[number], encoder));
    const lines = readShared("data/hh-stories260k-logps.jsonl").toString().trim().split("\n");
    recorded = indices.map((i) => JSON.parse(lines[i] as string));
  });

  const score = async (options: Partial<ScorerOptions> = {}): Promise<PairScores> =>
    createScorer({ model, backend, ...options }).logps(examples);
  const head = (name: string) => {
    const weight = new Float32Array(readTensor(readShared("data/hh-stories260k.safetensors"), name));
    return { weight, vocab: 512, hiddenSize: 64 };
  };
  const run = (batch: ModelBatch, output: string) => {
    const int64 = (values: ArrayLike<number>) => ({
      ...{ type: "int64", dims: [batch.rows, batch.length], location: "cpu" },
      data: BigInt64Array.from(Array.from(values, BigInt)),
    });
    const { inputIds: input_ids, attentionMask: attention_mask, positionIds: position_ids } = batch;
    const feeds = {
      input_ids: int64(input_ids),
      attention_mask: int64(attention_mask),
      position_ids: int64(position_ids),
    };
    return node.run(feeds as never, [output]) as Promise<Record<string, ModelTensor>>;
  };
  const columns = (side: "ref" | "policy"): number[] =>
    (["chosen", "rejected"] as const).flatMap((name) => recorded.map((row) => row[`${side}_${name}_logps`]));

  it("transformers.js, onnxruntime-node and onnxruntime-web agree with one another and with float64", async () => {
    const weights = readModel(readShared("data/stories260K.bin"));
    const float64 = (prompt: number[], completion: number[]): number => {
      const ids = [...prompt, ...completion];
      const states = hiddenStates(weights, ids);
      const logits = multiply(states, weights.embedding, weights.dim);
      return completion.reduce((sum, id, k) => {
        const from = (prompt.length + k - 1) * weights.vocab;
        const row = logits.subarray(from, from + weights.vocab);
        const total = row.reduce((all, x) => all + Math.exp(x), 0);
        return sum + (row[id] as number) - Math.log(total);
      }, 0);
    };
    const some = examples.slice(0, 8);
    const want = [...some.map((e) => float64(e.prompt, e.chosen)), ...some.map((e) => float64(e.prompt, e.rejected))];
    const scores = await Promise.all([model, node, web].map((one) => score({ model: one })));
    for (const { chosenLogps, rejectedLogps, logps, chosenLengths } of scores) {
      const got = [...chosenLogps.subarray(0, some.length), ...rejectedLogps.subarray(0, some.length)];
      expect(furthest(got, want)).toBeLessThan(2e-3);
      expect(furthest(logps, scores[0]?.logps ?? [])).toBeLessThan(1e-4);
      expect([...chosenLengths]).toEqual(recorded.map((row) => row.chosen_length));
    }
  });

  // What was recorded was computed from hidden states that were rounded to float16, which moves a sum by 8e-3 here at most.
  it("hidden states rounded to float16, as they were for the record, and its heads: the record", async () => {
    const rounded: ModelFunction = async (batch) => {
      const { last_hidden_state: states } = await run(batch, "last_hidden_state");
      return { hidden: Float16Array.from((states as ModelTensor).data as Float32Array) };
    };
    for (const [side, name] of [
      ["ref", "lm_head"],
      ["policy", "policy_head"],
    ] as const) {
      const { logps } = await score({ model: rounded, head: head(name) });
      expect(furthest(logps, columns(side))).toBeLessThan(2e-3);
    }
    expect(furthest((await score()).logps, columns("ref"))).toBeLessThan(2e-2);
  });

  it.each(["left", "right"] as const)(
    "padded on the %s, one at a time and 32 together: the same",
    async (paddingSide) => {
      const want = await score({ batchTokens: 1 });
      for (const batchTokens of [1, 80, 32 * 80, 10_000]) {
        const got = await score({ paddingSide, batchTokens });
        expect(furthest(got.logps, want.logps)).toBeLessThan(1e-4);
        for (const [i, tokens] of got.tokenLogps.entries()) {
          expect(tokens.length).toBe(want.tokenLogps[i]?.length);
          expect(furthest(tokens, want.tokenLogps[i] ?? [])).toBeLessThan(1e-4);
        }
      }
    },
  );

  it("logits of the last positions alone: the same", async () => {
    const want = await score();
    let kept = 0;
    const trailing: ModelFunction = async (batch) => {
      const { logits } = await run(batch, "logits");
      const positions = batch.length - batch.logitsFrom;
      kept += positions / batch.length;
      const rows = Array.from({ length: batch.rows }, (_, r) =>
        ((logits as ModelTensor).data as Float32Array).subarray(
          (r * batch.length + batch.logitsFrom) * 512,
          (r + 1) * batch.length * 512,
        ),
      );
      const data = new Float32Array(batch.rows * positions * 512);
      for (const [r, row] of rows.entries()) data.set(row, r * positions * 512);
      return { type: "float32", dims: [batch.rows, positions, 512], data };
    };
    for (const paddingSide of ["left", "right"] as const) {
      const got = await score({ model: trailing, paddingSide });
      expect(furthest(got.logps, want.logps)).toBeLessThan(1e-4);
    }
    expect(kept).toBeGreaterThan(0);
  });

  it("hidden states and a head of ours: the reference's log-probs, and the policy's with its own head", async () => {
    const reference = await score({ head: head("lm_head") });
    expect(furthest(reference.logps, (await score()).logps)).toBeLessThan(1e-4);
    const policy = await score({ head: head("policy_head") });
    expect(furthest(policy.logps, columns("policy"))).toBeLessThan(2e-2);
  });

  it("from texts and messages: tokenised on the way, padded as the tokenizer says", async () => {
    const row = { prompt: " Once upon a time there was", chosen: " a little cat.", rejected: " a dog" };
    const texts = Array.from({ length: 3 }, (_, i) => ({ ...row, prompt: row.prompt.repeat(i + 1) }));
    const scorer = createScorer({ model, tokenizer, backend });
    const got = await scorer.logps(texts as PairRow[]);
    expect(got.examples?.length).toBe(3);
    expect(got.chosenLengths[0]).toBe(6);
    const again = await createScorer({ model: node, backend }).logps(got.examples ?? []);
    expect(furthest(got.logps, again.logps)).toBeLessThan(1e-4);
    const messages = [{ role: "user", content: "What is red?" }];
    const answer = (content: string) => [{ role: "assistant", content }];
    const chat = createScorer({ model, tokenizer, backend, chatTemplate: chatTemplate() });
    const { logps } = await chat.logps([
      { prompt: messages, chosen: answer(" A ball."), rejected: answer(" The sky.") },
    ]);
    expect(logps.every((logp) => logp < 0 && Number.isFinite(logp))).toBe(true);
  });
});
