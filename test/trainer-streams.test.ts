// Streams of examples that end early, fail, or are empty; and evaluations that do not come to their end.

import { describe, expect, it } from "vitest";
import { createWasm } from "../src/index.ts";
import type { BackboneBatch, TrainExample } from "../src/train.ts";
import { backbone, memoryStore, newTrainer, pairs, take } from "./support/trainer.ts";

const backend = await createWasm({ relaxed: false });
const config = { max_steps: 8, gradient_accumulation_steps: 2 };

/** Streams the pairs; the call of that number fails in front of one of them. */
function failing(call: number, at: number): () => AsyncIterable<TrainExample> {
  let calls = 0;
  return async function* () {
    const fails = ++calls === call;
    for (const [i, pair] of pairs.entries()) {
      if (fails && i === at) throw new Error("the line is down");
      yield pair;
    }
  };
}

describe("a stream that fails", () => {
  const whole = async () => take(await newTrainer(config, { backend, examples: failing(0, 0) }));

  it.each([
    ["at its first example", 1, 0, 0],
    ["within the first step", 1, 5, 0],
    ["behind the batches of a step, which is taken", 1, 8, 1],
    ["within a later epoch", 2, 9, 4],
  ])("ends the step that wants it, which can be tried again: %s", async (_name, call, at, taken) => {
    const trainer = await newTrainer(config, { backend, examples: failing(call, at) });
    const before: unknown[] = [];
    const first = (async () => {
      for await (const step of trainer) before.push(step);
    })();
    await expect(first).rejects.toThrow(/^the line is down$/);
    expect(trainer.step).toBe(taken);
    expect([...before, ...(await take(trainer))]).toEqual(await whole());
  });

  it("behind all that the training wants is no matter", async () => {
    const trainer = await newTrainer({ ...config, max_steps: 1 }, { backend, examples: failing(1, 8) });
    expect(await take(trainer)).toHaveLength(1);
  });

  it("is refused at each try where it is empty, or an example is none", async () => {
    const empty = await newTrainer(config, { backend, examples: async function* () {} });
    const wrong = await newTrainer(config, {
      backend,
      examples: async function* () {
        yield* pairs.slice(0, 3);
        yield { prompt: [1], chosen: [2] } as never;
      },
    });
    const few = await newTrainer(
      { ...config, dataloader_drop_last: true },
      {
        backend,
        examples: async function* () {
          yield* pairs.slice(0, 3);
        },
      },
    );
    for (let again = 0; again < 2; again++) {
      await expect(take(empty)).rejects.toThrow(/^examples: expected at least one example, got 0$/);
      await expect(take(wrong)).rejects.toThrow(/^examples\[3\]\.rejected: expected token ids/);
      await expect(take(few)).rejects.toThrow(/^examples: expected a batch of 4 at least with dataloader_drop_last/);
    }
  });
});

it("a stream that has not come to its end is closed with the trainer", async () => {
  let closed = 0;
  const examples = async function* () {
    try {
      yield* pairs;
    } finally {
      closed++;
    }
  };
  const trainer = await newTrainer({ max_steps: 2 }, { backend, examples });
  await take(trainer);
  expect(closed).toBe(0);
  await trainer.dispose();
  expect(closed).toBe(1);
});

describe("an evaluation that does not come to its end", () => {
  const evalExamples = pairs.slice(0, 9);
  const settings = { max_steps: 6, eval_strategy: "steps", eval_steps: 2, per_device_eval_batch_size: 3 };
  const best = { load_best_model_at_end: true, metric_for_best_model: "rewards/margins", learning_rate: 0.5 };
  const plain = async () => {
    const trainer = await newTrainer({ ...settings, ...best }, { backend, evalExamples });
    return { steps: await take(trainer), best: trainer.best, files: await trainer.files() };
  };

  it("is begun again, and no step is lost", async () => {
    let fails = true;
    const sometimes = (
      batch: BackboneBatch,
      { evaluation, examples }: { evaluation: boolean; examples: readonly number[] },
    ) => {
      if (!evaluation || !fails || examples[0] !== 3) return backbone(batch);
      fails = false;
      throw new Error("out of breath");
    };
    const trainer = await newTrainer({ ...settings, ...best }, { backend, evalExamples, backbone: sometimes });
    const before: unknown[] = [];
    const first = (async () => {
      for await (const step of trainer) before.push(step);
    })();
    await expect(first).rejects.toThrow("out of breath");
    expect([before.length, trainer.step]).toEqual([1, 2]);
    const expected = await plain();
    expect([...before, ...(await take(trainer))]).toEqual(expected.steps);
    expect([trainer.best, await trainer.files()]).toEqual([expected.best, expected.files]);
  });

  it.each([2, 6])("ends at a signal; its checkpoint goes on with it: step %i", async (step) => {
    const store = memoryStore();
    const controller = new AbortController();
    const make = (more: object) =>
      newTrainer({ ...settings, ...best }, { backend, evalExamples, checkpoint: { store }, ...more });
    const onProgress = ({ stage, done }: { stage: string; done: number }) => {
      if (stage === "evaluate" && done === 1 && trainer.step === step) controller.abort("enough");
    };
    const trainer = await make({ signal: controller.signal, onProgress });
    const before: unknown[] = [];
    const first = (async () => {
      for await (const taken of trainer) before.push(taken);
    })();
    await expect(first).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    await trainer.checkpoint();
    const again = await make({ resume: true });
    expect([before.length, again.step]).toEqual([step - 1, step]);
    const expected = await plain();
    expect([...before, ...(await take(again))]).toEqual(expected.steps);
    expect([again.best, await again.files()]).toEqual([expected.best, expected.files]);
  });
});
