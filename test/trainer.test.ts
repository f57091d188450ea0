// createTrainer: what it computes, in which order it takes examples, what it tells, and what it refuses.

import { describe, expect, it } from "vitest";
import { collate, createWasm, KindError, ParamError } from "../src/index.ts";
import { orderOf, shuffled } from "../src/train/trainer/order.ts";
import type { BackboneBatch, TrainerOptions } from "../src/train.ts";
import { onEachBackend } from "./support/backends.ts";
import { missesNear } from "./support/compare.ts";
import { float64Trainer } from "./support/float64-trainer.ts";
import { backbone, hiddenSize, newHead, newTrainer, pairs, rows, take, vocab } from "./support/trainer.ts";

const backend = await createWasm({ relaxed: false });

/** The batches of the steps in order: 22 pairs in fours, two to a step; the last of an epoch has one part of two pairs less. */
function partsOf(step: number) {
  const within = step % 3;
  return [2 * within, 2 * within + 1].map((k) => {
    const batch = collate(pairs.slice(4 * k, 4 * k + 4) as Parameters<typeof collate>[0]);
    return { batch, hidden: backbone({ ...batch, rows: 2 * batch.pairs }) };
  });
}

describe("against float64, written out: parts, clipping, decay, TR-DPO", () => {
  const config = {
    ...{ max_steps: 8, gradient_accumulation_steps: 2, weight_decay: 0.1, max_grad_norm: 0.05, beta: 2 },
    ...{ lr_scheduler_type: "constant", sync_ref_model: true, ref_model_sync_steps: 3, ref_model_mixup_alpha: 0.7 },
  };
  onEachBackend((backend) => {
    it("the same curve and the same head", async () => {
      const head = newHead();
      const sync = { every: 3, alpha: 0.7 };
      const setting = { vocab, width: hiddenSize, beta: 2, lr: 1e-2, weightDecay: 0.1, maxNorm: 0.05, sync };
      const expected = float64Trainer(head.weight, setting);
      const trainer = await newTrainer(config, { backend, head, shuffle: false });
      const found: string[] = [];
      for (const { step, metrics } of await take(trainer)) {
        const { loss, gradNorm } = expected.step(partsOf(step - 1));
        found.push(...missesNear(`step ${step} loss`, [metrics["loss"] as number], [loss], 1e-5));
        found.push(...missesNear(`step ${step} grad_norm`, [metrics["grad_norm"] as number], [gradNorm], 1e-4));
      }
      found.push(...missesNear("weight", head.weight, expected.weight, 1e-4, 1e-4));
      expect(found).toEqual([]);
    });
  });
});

it("`keep` is the loss's of each batch, and changes no bit", async () => {
  const runs = [0, 1e6, undefined].map(async (keep) => {
    const seen: unknown[] = [];
    const linearLoss = ((batch: never, options: { keep?: number }) => {
      seen.push(options.keep);
      return backend.linearLoss(batch, options);
    }) as typeof backend.linearLoss;
    const steps = await take(await newTrainer({ max_steps: 3 }, { keep, backend: { ...backend, linearLoss } }));
    expect(new Set(seen)).toEqual(new Set([keep]));
    return steps;
  });
  const [none, all, usual] = await Promise.all(runs);
  expect([all, usual]).toEqual([none, none]);
});

describe("order", () => {
  it("each epoch has all examples, in an order of its own that the seed decides", () => {
    const [first, second] = [shuffled(100, 42, 0), shuffled(100, 42, 1)];
    const all = Array.from({ length: 100 }, (_, i) => i);
    for (const order of [first, second, shuffled(100, 43, 0)]) expect([...order].sort((a, b) => a - b)).toEqual(all);
    expect(shuffled(100, 42, 0)).toEqual(first);
    expect(second).not.toEqual(first);
    expect(shuffled(100, 43, 0)).not.toEqual(first);
    expect(shuffled(100, 42 + 2 ** 32, 0)).not.toEqual(first);
  });

  it("steps and epochs are transformers' arithmetic", () => {
    const train = {
      batchSize: 4,
      gradientAccumulationSteps: 2,
      dropLast: false,
      maxSteps: -1,
      numTrainEpochs: 1.5,
      seed: 1,
    };
    const order = (more: object) => orderOf(22, { train: { ...train, ...more } } as never, false);
    expect([order({}).stepsPerEpoch, order({}).steps]).toEqual([3, 5]);
    expect(order({ dropLast: true }).at(2)).toMatchObject({ batches: [[16, 17, 18, 19]], passed: 1, endsEpoch: true });
    expect(order({}).at(5).batches).toEqual([
      [16, 17, 18, 19],
      [20, 21],
    ]);
    expect(order({ maxSteps: 9 }).steps).toBe(9);
  });

  it("hidden states are asked for once for each example, by batches of the first epoch", async () => {
    const asked: number[][] = [];
    const counting = (batch: BackboneBatch, { examples }: { examples: readonly number[] }) => {
      asked.push([...examples]);
      return backbone(batch);
    };
    await take(await newTrainer({ num_train_epochs: 3 }, { backend, backbone: counting }));
    expect(asked.flat().sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i));
  });
});

describe("what is told", () => {
  it("TRL's keys, epochs, and at each logging step the mean since the last", async () => {
    const trainer = await newTrainer({ max_steps: 6, logging_steps: 3 }, { backend });
    const steps = await take(trainer);
    expect(Object.keys(steps[0]?.metrics ?? {}).sort()).toEqual([
      ...["entropy", "epoch", "grad_norm", "learning_rate", "logits/chosen", "logits/rejected", "logps/chosen"],
      ...["logps/rejected", "loss", "mean_token_accuracy", "num_tokens", "rewards/accuracies", "rewards/chosen"],
      ...["rewards/margins", "rewards/rejected"],
    ]);
    expect(steps.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6].map((batch) => batch / 6));
    expect(steps.map(({ log }) => log !== undefined)).toEqual([false, false, true, false, false, true]);
    const losses = steps.slice(3).map(({ metrics }) => metrics["loss"] as number);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / 3;
    expect(missesNear("loss", [steps[5]?.log?.["loss"] as number], [mean], 1e-12)).toEqual([]);
  });

  it("as TRL has it, a log's metrics are means over all parts of its steps, and its loss one over the steps", async () => {
    const reference = { weight: newHead().weight.map((w, i) => w + Math.sin(i) / 2) };
    const log = async (config: object) => {
      const still = { max_steps: 6, learning_rate: 0, logging_strategy: "epoch", ...config };
      const steps = await take(await newTrainer(still, { backend, reference, shuffle: false }));
      return { losses: steps.map(({ metrics }) => metrics["loss"] as number), log: steps.at(-1)?.log };
    };
    // Six batches in one epoch, in steps of four and of two.
    const parts = await log({});
    const steps = await log({ max_steps: 2, gradient_accumulation_steps: 4 });
    const metrics = Object.keys(parts.log ?? {}).filter((key) => /rewards|logps|logits|entropy|accuracy/.test(key));
    expect(metrics).toHaveLength(10);
    for (const key of metrics) expect([key, steps.log?.[key]]).toEqual([key, parts.log?.[key]]);
    expect(steps.log?.["loss"]).toBe(((steps.losses[0] as number) + (steps.losses[1] as number)) / 2);
  });

  it("evaluations when they are due, and by themselves", async () => {
    const evalExamples = pairs.slice(0, 5);
    const due = async (config: object, given: Partial<TrainerOptions> = {}) => {
      const steps = await take(await newTrainer({ max_steps: 8, ...config }, { backend, evalExamples, ...given }));
      return steps.flatMap(({ step, metrics }) => ("eval_loss" in metrics ? [step] : []));
    };
    expect(await due({})).toEqual([6, 8]);
    expect(await due({ eval_steps: 3 })).toEqual([3, 6, 8]);
    expect(await due({ eval_steps: 0 })).toEqual([6, 8]);
    expect(await due({ eval_steps: 0, eval_strategy: "steps", logging_steps: 5 })).toEqual([5, 8]);
    expect(await due({ eval_strategy: "epoch" })).toEqual([6, 8]);
    expect(await due({ eval_strategy: "no" })).toEqual([]);
    expect(await due({ eval_steps: 3 }, { evalSteps: 5 })).toEqual([5, 8]);
    const trainer = await newTrainer({}, { backend, evalExamples });
    expect(await trainer.evaluate()).toMatchObject({ eval_loss: Math.fround(Math.LN2), "eval_rewards/margins": 0 });
  });

  it("a KTOConfig of defaults is known by the labels of its rows", async () => {
    const [silent, said] = await Promise.all(
      [{ max_steps: 2 }, { max_steps: 2, loss_type: "kto" }].map(async (config) =>
        take(await newTrainer(config, { backend, examples: rows })),
      ),
    );
    expect(silent).toEqual(said);
  });

  it("an evaluation has the loss of the head, and no gradient", async () => {
    const evalExamples = pairs.slice(0, 5);
    const seen: { loss: number; moved: boolean }[] = [];
    const linearLoss = ((batch: never, options: { out: { gradWeight: Float32Array } }) => {
      const result = backend.linearLoss(batch, options);
      seen.push({ loss: result.loss, moved: options.out.gradWeight.some((g) => g !== 0) });
      return result;
    }) as typeof backend.linearLoss;
    const trainer = await newTrainer(
      { max_steps: 4 },
      { backend: { ...backend, linearLoss }, evalExamples, evalSteps: 2 },
    );
    const steps = await take(trainer);
    const evaluated = steps.flatMap(({ metrics }) => ("eval_loss" in metrics ? [metrics["eval_loss"] as number] : []));
    expect(seen.filter(({ moved }) => moved)).toHaveLength(4);
    const still = seen.filter(({ moved }) => !moved);
    expect(evaluated.map(Math.fround)).toEqual(still.map(({ loss }) => Math.fround(loss)));
    expect(evaluated[1]).toBeLessThan(evaluated[0] as number);
  });

  it("the mean reward of BCO is not moved by an evaluation", async () => {
    const config = { loss_type: "bco", beta: 1, max_steps: 4 };
    const plain = await take(await newTrainer(config, { backend, examples: rows }));
    const evalExamples = rows.slice(0, 6);
    const evaluated = await take(
      await newTrainer({ ...config, eval_steps: 1 }, { backend, examples: rows, evalExamples }),
    );
    expect(evaluated.map(({ metrics }) => metrics["delta"])).toEqual(plain.map(({ metrics }) => metrics["delta"]));
  });

  it.each([
    ["optim", "adafactor", /^optim: adafactor is not here/],
    ["load_best_model_at_end", true, /^load_best_model_at_end: not followed/],
    ["group_by_length", true, /^group_by_length: not followed/],
    ["neftune_noise_alpha", 5, /^neftune_noise_alpha: /],
    ["learning_rat", 1, /^learning_rat: not a key of DPOConfig/],
  ])("what is not followed, by name: %s", async (key, value, warning) => {
    const { warnings } = await newTrainer({ [key]: value }, { backend });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(warning);
  });

  it("nothing of what is followed", async () => {
    const config = { sync_ref_model: true, loss_type: ["sigmoid", "bco_pair"], eval_steps: 3, logging_steps: 1 };
    expect((await newTrainer(config, { backend })).warnings).toEqual([]);
  });

  it("progress, and an end by a signal at a step that can be taken again", async () => {
    const told: unknown[] = [];
    const controller = new AbortController();
    const onProgress = (progress: unknown) => {
      told.push(progress);
      if (told.length === 3) controller.abort("enough");
    };
    const config = { max_steps: 4, gradient_accumulation_steps: 2 };
    const trainer = await newTrainer(config, { backend, onProgress, signal: controller.signal });
    await expect(take(trainer)).rejects.toMatchObject({ name: "AbortError", cause: "enough" });
    expect(told).toEqual([1, 2, 1].map((done) => ({ stage: "train", done, total: 2 })));
    expect(trainer.step).toBe(1);
  });

  it("examples whose prompts fill max_length are dropped, as TRL does", async () => {
    const long = { prompt: [1, 2, 3, 4], chosen: [1], rejected: [2] };
    const { warnings } = await newTrainer({ max_length: 4 }, { backend, examples: [long, { ...long, prompt: [1] }] });
    expect(warnings).toEqual(["examples: 1 dropped, whose prompts fill max_length, as TRL does"]);
    await expect(newTrainer({ max_length: 4 }, { backend, examples: [long] })).rejects.toThrow(
      /^examples: expected at least one/,
    );
  });
});

describe("what is trained", () => {
  it("halves stay as they are; their float32 copy is trained", async () => {
    const f16 = new Uint16Array(vocab * hiddenSize).fill(0x3c00);
    const trainer = await newTrainer({ max_steps: 2 }, { backend, head: { weight: { f16 }, vocab, hiddenSize } });
    await take(trainer);
    expect([...f16].every((bits) => bits === 0x3c00)).toBe(true);
    expect(trainer.head.weight).toBeInstanceOf(Float32Array);
    expect(trainer.head.weight).not.toEqual(new Float32Array(vocab * hiddenSize).fill(1));
  });

  it("an adapter: the head stays, PEFT's files come", async () => {
    const head = newHead();
    const trainer = await newTrainer({ max_steps: 2 }, { backend, head, lora: { rank: 2, alpha: 4 } });
    await take(trainer);
    expect(head).toEqual(newHead());
    const files = Object.keys(await trainer.files());
    expect(files).toEqual(["adapter_model.safetensors", "adapter_config.json", "training_config.json"]);
  });

  it.each([{}, { precompute_ref_log_probs: true }])(
    "log-probs that the examples bring stand in for a reference: %o",
    async (config) => {
      const examples = pairs.map((pair) => ({ ...pair, ref_chosen_logps: -3, ref_rejected_logps: -5 }));
      const given = { backend, examples, evalExamples: examples, reference: "precomputed" } as const;
      const steps = await take(await newTrainer({ max_steps: 1, ...config }, given));
      const {
        "rewards/margins": margin = 0,
        "logps/chosen": chosen = 0,
        "logps/rejected": rejected = 0,
      } = steps[0]?.metrics ?? {};
      expect(missesNear("margin", [margin], [0.1 * (chosen + 3 - rejected - 5)], 1e-5)).toEqual([]);
    },
  );
});

describe("refusals", () => {
  const cases: readonly (readonly [string, Record<string, unknown>, object, RegExp])[] = [
    ["no config", {}, { config: 3 }, /^config: expected an object, got a number/],
    ["an unknown option", {}, { epochs: 3 }, /^epochs: not an option of createTrainer/],
    ["no backbone", {}, { backbone: undefined }, /^backbone: expected a function, got undefined/],
    ["a short head", {}, { head: { ...newHead(), vocab: 41 } }, /^head\.weight: expected 246 values, got 240/],
    [
      "an example without tokens",
      {},
      { examples: [{ prompt: [1], chosen: [2] }] },
      /^examples\[0\]\.rejected: expected token ids/,
    ],
    [
      "an id that the head has not",
      {},
      { examples: [...pairs, { prompt: [99], chosen: [1, 40], rejected: [1] }] },
      /^examples\[22\]\.chosen\[1\]: expected an id in 0\.\.39, got 40$/,
    ],
    [
      "one that is left when the start is cut",
      { max_length: 2, truncation_mode: "keep_end" },
      { examples: [{ prompt: [99], chosen: [1], rejected: [50, 1, 40] }] },
      /^examples\[0\]\.rejected\[2\]: expected an id in 0\.\.39, got 40$/,
    ],
    [
      "one in a prompt whose likelihood counts",
      { beta: 1 },
      { examples: [{ prompt: [99, 98, 1], chosen: [1], rejected: [1] }], trainer: "orpo" },
      /^examples\[0\]\.prompt\[1\]: expected an id in 0\.\.39, got 98$/,
    ],
    [
      "one in a mismatched row",
      { loss_type: "kto" },
      { examples: rows.map((row) => ({ ...row, klCompletion: [3, 77] })) },
      /^examples\[0\]\.klCompletion\[1\]: expected an id in 0\.\.39, got 77$/,
    ],
    ["rows for pairs", { loss_type: "sigmoid" }, { examples: rows }, /^examples\[0\]\.chosen: expected token ids/],
    [
      "a row without a label",
      { loss_type: "kto" },
      { examples: [{ prompt: [1], completion: [2] }] },
      /label: expected true or false/,
    ],
    [
      "no log-probs",
      {},
      { reference: "precomputed" },
      /^examples\[0\]\.refChosenLogps: expected a number, got nothing/,
    ],
    [
      "dropout of all",
      {},
      { lora: { rank: 2, alpha: 2, dropout: 1 } },
      /^lora\.dropout: expected a number in \[0, 1\)/,
    ],
    [
      "a moving reference under an adapter",
      { sync_ref_model: true },
      { lora: { rank: 2, alpha: 2 } },
      /^config\.sync_ref_model: /,
    ],
    [
      "two kinds of reference",
      { sync_ref_model: true, precompute_ref_log_probs: true },
      {},
      /^config\.sync_ref_model: /,
    ],
    ["resume without a store", {}, { resume: true }, /^checkpoint: expected with resume/],
    ["a stream without an end", {}, { examples: async function* () {} }, /^config\.max_steps: expected with a stream/],
    ["steps that are none", { logging_steps: -1 }, {}, /^config\.logging_steps: expected a positive integer/],
    [
      "logits kept in no number of bytes",
      {},
      { keep: -1 },
      /^keep: expected an integer in 0..9007199254740991, got -1/,
    ],
    ["logits kept in words", {}, { keep: "all" }, /^keep: expected a number, got a string/],
  ];
  it.each(cases)("%s", async (_name, config, given, message) => {
    const made = newTrainer(config, { backend, ...given } as never);
    await expect(made).rejects.toThrow(message);
    await expect(made).rejects.toSatisfy((error) => error instanceof KindError || error instanceof RangeError);
  });

  it("hidden states of another size, at the step that gets them; which can be tried again", async () => {
    let wrong = true;
    const trainer = await newTrainer(
      { max_steps: 1 },
      { backend, backbone: (batch) => (wrong ? new Float32Array(3) : backbone(batch)) },
    );
    await expect(take(trainer)).rejects.toThrow(/^backbone: expected \d+ values, got 3/);
    wrong = false;
    expect(await take(trainer)).toHaveLength(1);
  });

  it("hidden states of another element type than before, which would meet them in one array", async () => {
    let calls = 0;
    const trainer = await newTrainer(
      { max_steps: 4 },
      {
        backend,
        backbone: (batch) => (calls++ === 1 ? { f16: new Uint16Array(backbone(batch).length) } : backbone(batch)),
      },
    );
    await expect(take(trainer)).rejects.toThrow(
      new KindError("backbone: expected hidden states in f32, as before, got f16"),
    );
    expect(trainer.step).toBe(1);
  });

  it("examples that are fewer than a batch, where smaller batches are dropped", async () => {
    const made = newTrainer({ dataloader_drop_last: true, per_device_train_batch_size: 23 }, { backend });
    await expect(made).rejects.toThrow(/^examples: expected a batch of 23 at least with dataloader_drop_last, got 22$/);
  });

  it("an evaluation and a checkpoint without what they need", async () => {
    const trainer = await newTrainer({}, { backend });
    await expect(trainer.evaluate()).rejects.toThrow(ParamError);
    await expect(trainer.checkpoint()).rejects.toThrow(ParamError);
  });
});
