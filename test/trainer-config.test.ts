// Every key of a configuration is followed by a training, or named in a warning; and those of the loop around it do what transformers says.

import { describe, expect, it } from "vitest";
import { elsewhereKeys, formerKeys, knownKeys, readKeys } from "../src/from-trl/keys.ts";
import { createWasm } from "../src/index.ts";
import { notFollowed } from "../src/train/trainer/not-followed.ts";
import { type Given, memoryStore, newHead, newTrainer, pairs, rows, take } from "./support/trainer.ts";

const backend = await createWasm({ relaxed: false });
const evalExamples = pairs.slice(0, 6);
const make = (config: Record<string, unknown>, given: Given = {}) => newTrainer(config, { backend, ...given });
const warningsOf = async (config: Record<string, unknown>, given: Given = {}) => (await make(config, given)).warnings;

/** Keys that the loop reads by itself. */
const ofTheLoop = [
  ...["precompute_ref_log_probs", "ref_model_mixup_alpha", "ref_model_sync_steps", "logging_strategy", "logging_steps"],
  ...["logging_first_step", "eval_strategy", "evaluation_strategy", "eval_steps", "eval_delay", "save_strategy"],
  ...["save_steps", "save_total_limit", "load_best_model_at_end", "metric_for_best_model", "greater_is_better"],
];
/** What needs an option of createTrainer, and is named without it. */
const ofOptions = ["output_dir", "resume_from_checkpoint"];

/** `DPOConfig(output_dir="trainer_output").to_dict()`, of TRL 1.16 and transformers 5.24, less what is None. */
const untouched = {
  ...{ output_dir: "trainer_output", per_device_train_batch_size: 8, num_train_epochs: 3, max_steps: -1 },
  ...{ learning_rate: 1e-6, lr_scheduler_type: "linear", warmup_steps: 0, optim: "adamw_torch_fused", weight_decay: 0 },
  ...{ adam_beta1: 0.9, adam_beta2: 0.999, adam_epsilon: 1e-8, gradient_accumulation_steps: 1, max_grad_norm: 1 },
  ...{
    average_tokens_across_devices: true,
    label_smoothing_factor: 0,
    bf16: false,
    fp16: false,
    bf16_full_eval: false,
  },
  ...{ fp16_full_eval: false, gradient_checkpointing: true, torch_compile: false, use_liger_kernel: false },
  ...{ use_cache: false, auto_find_batch_size: false, logging_strategy: "steps", logging_steps: 10 },
  ...{ logging_first_step: false, log_on_each_node: true, logging_nan_inf_filter: true, log_level: "passive" },
  ...{ include_num_input_tokens_seen: "no", log_level_replica: "warning", disable_tqdm: false, report_to: "none" },
  ...{ project: "huggingface", trackio_space_id: "trackio", eval_strategy: "no", eval_delay: 0, eval_on_start: false },
  ...{
    per_device_eval_batch_size: 8,
    prediction_loss_only: false,
    eval_do_concat_batches: true,
    include_for_metrics: [],
  },
  ...{ eval_use_gather_object: false, batch_eval_metrics: false, save_only_model: false, save_strategy: "steps" },
  ...{ save_steps: 500, save_on_each_node: false, enable_jit_checkpoint: false, push_to_hub: false },
  ...{ hub_token: "<HUB_TOKEN>", hub_strategy: "every_save", hub_always_push: false, load_best_model_at_end: false },
  ...{ ignore_data_skip: false, restore_callback_states_from_checkpoint: false, full_determinism: false, seed: 42 },
  ...{ use_cpu: false, dataloader_drop_last: false, dataloader_num_workers: 0, dataloader_pin_memory: true },
  ...{ dataloader_persistent_workers: false, dataloader_in_order: true, remove_unused_columns: true, fsdp: [] },
  ...{ train_sampling_strategy: "random", length_column_name: "length", ddp_timeout: 1800, debug: [], do_train: false },
  ...{ skip_memory_metrics: true, do_eval: false, do_predict: false, local_rank: -1, disable_dropout: true },
  ...{ max_length: 1024, truncation_mode: "keep_start", padding_free: false, precompute_ref_log_probs: false },
  ...{ loss_type: ["sigmoid"], f_divergence_type: "reverse_kl", f_alpha_divergence_coef: 0.5, label_smoothing: 0 },
  ...{ beta: 0.1, use_weighting: false, discopop_tau: 0.05, activation_offloading: false, sync_ref_model: false },
  ...{ ref_model_mixup_alpha: 0.6, ref_model_sync_steps: 512, trust_remote_code: false, router_aux_loss_coef: 0.001 },
};

describe("keys", () => {
  it("that fromTrl knows are read, warned of by it or by the trainer: each stands in one place", () => {
    const read = [...Object.keys(readKeys), ...Object.values(formerKeys), ...Object.keys(elsewhereKeys)];
    const places = [...read, ...ofTheLoop, ...ofOptions, ...notFollowed.keys()];
    // What is read of the optimiser goes on to the loop, which names what it does not follow.
    const twice = ["optim_args"];
    expect(places.filter((key) => !twice.includes(key)).sort()).toEqual(
      knownKeys.filter((key) => !twice.includes(key)).sort(),
    );
  });

  it("of a configuration that nobody touched leave nothing to say", async () => {
    expect(await warningsOf({ ...untouched, per_device_train_batch_size: 4 })).toEqual([]);
  });

  it.each([...notFollowed.keys()])("not followed are named: %s", async (key) => {
    const warnings = await warningsOf({ [key]: "something else" });
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^${key}: not followed: .{10}`))]);
  });

  it.each([
    ["output_dir", "run", {}],
    ["save_steps", 5, {}],
    ["save_total_limit", 3, {}],
    ["save_strategy", "epoch", {}],
    ["eval_strategy", "epoch", {}],
    ["load_best_model_at_end", true, {}],
    ["resume_from_checkpoint", "run/checkpoint-5", { checkpoint: { store: memoryStore() } }],
  ])("that need an option of createTrainer are named without it: %s", async (key, value, given) => {
    expect(await warningsOf({ [key]: value }, given)).toEqual([
      expect.stringMatching(new RegExp(`^${key}: not followed`)),
    ]);
    const all = { checkpoint: { store: memoryStore() }, evalExamples, resume: true };
    expect(await warningsOf({ [key]: value }, all)).toEqual([]);
  });

  it.each([
    [{ lr_scheduler_type: "reduce_lr_on_plateau" }, {}, /^lr_scheduler_type: reduce_lr_on_plateau is not here/],
    [{ lr_scheduler_type: "SchedulerType.GREEDY" }, {}, /^lr_scheduler_type: greedy is not here: the rate stays/],
    [
      { lr_scheduler_type: "constant_with_warmup", lr_scheduler_kwargs: { num_cycles: 2 } },
      {},
      /^lr_scheduler_kwargs: not followed: constant_with_warmup has none/,
    ],
    [{ optim: "paged_adamw_8bit" }, {}, /^optim: paged_adamw_8bit is not here: AdamW in float32/],
    [{}, { lora: { rank: 2, alpha: 2, dropout: 0.1 } }, /^lora\.dropout: not followed/],
    [{ bf16: true }, {}, /^bf16: not followed: all is computed in float32/],
    [{ train_sampling_strategy: "group_by_length" }, {}, /^train_sampling_strategy: not followed/],
    [{ report_to: "wandb" }, {}, /^report_to: not followed: metrics are what each step gives/],
    [{ overwrite_output_dir: true }, {}, /^overwrite_output_dir: not followed: `checkpoint\.overwrite: true`/],
  ])("end no training where something stands in: %o", async (config, given, warning) => {
    const trainer = await make({ max_steps: 2, ...config }, given);
    expect(trainer.warnings).toEqual([expect.stringMatching(warning)]);
    expect(await take(trainer)).toHaveLength(2);
  });

  it.each([
    ["save_strategy", "often", "one of steps, epoch, best, no"],
    ["logging_strategy", "best", "one of steps, epoch, no"],
    ["evaluation_strategy", "x", "one of steps, epoch, no"],
    ["eval_delay", -1, "a number of epochs or steps"],
    ["save_total_limit", 1.5, "an integer"],
  ])("of the loop are refused where they say nothing: %s", async (key, value, expected) => {
    await expect(make({ [key]: value })).rejects.toThrow(`config.${key}: expected ${expected}, got `);
  });

  it.each([
    { metric_for_best_model: 3, load_best_model_at_end: true },
    { greater_is_better: "yes", load_best_model_at_end: true },
  ])("of the best evaluation are refused where they are of another kind: %o", async (config) => {
    await expect(make(config, { evalExamples })).rejects.toThrow(
      /^config\.(metric_for|greater).*: expected (a s|true)/,
    );
  });
});

describe("logs, evaluations and checkpoints", () => {
  const logsOf = async (config: object) =>
    (await take(await make({ max_steps: 8, logging_steps: 3, ...config }))).flatMap(({ step, log }) =>
      log ? [step] : [],
    );
  const evaluationsOf = async (config: object, given: Given = {}) =>
    (await take(await make({ max_steps: 8, ...config }, { evalExamples, ...given }))).flatMap(({ step, metrics }) =>
      "eval_loss" in metrics ? [step] : [],
    );
  const checkpointsOf = async (config: object, everySteps?: number) => {
    const store = memoryStore();
    const given = { evalExamples, checkpoint: { store, everySteps } };
    await take(await make({ max_steps: 8, save_total_limit: 0, ...config }, given));
    return [...store.files.keys()].flatMap((name) => (/(\d+)\.json$/.exec(name)?.slice(1) ?? []).map(Number));
  };

  // 22 pairs in fours: an epoch has 6 steps.
  it("logs are due as logging_strategy says", async () => {
    expect(await logsOf({})).toEqual([3, 6]);
    expect(await logsOf({ logging_first_step: true })).toEqual([1, 3, 6]);
    // An epoch that the training's end cuts short is logged too.
    expect(await logsOf({ logging_strategy: "epoch" })).toEqual([6, 8]);
    expect(await logsOf({ logging_strategy: "epoch", logging_steps: 0 })).toEqual([6, 8]);
    expect(await logsOf({ logging_strategy: "IntervalStrategy.NO" })).toEqual([]);
  });

  it("evaluations wait for eval_delay, and steps have one at the end", async () => {
    expect(await evaluationsOf({ eval_strategy: "steps", eval_steps: 3 })).toEqual([3, 6, 8]);
    expect(await evaluationsOf({ eval_strategy: "steps", eval_steps: 2, eval_delay: 4 })).toEqual([4, 6, 8]);
    expect(await evaluationsOf({ eval_strategy: "epoch", eval_delay: 1.5, max_steps: 13 })).toEqual([12, 13]);
    expect(await evaluationsOf({ eval_strategy: "epoch" })).toEqual([6, 8]);
  });

  it("checkpoints are due as save_strategy says; `everySteps` prevails; no limit keeps all", async () => {
    expect(await checkpointsOf({ save_steps: 3 })).toEqual([3, 6, 8]);
    expect(await checkpointsOf({ save_steps: 0.25 })).toEqual([2, 4, 6, 8]);
    expect(await checkpointsOf({ save_strategy: "epoch" })).toEqual([6, 8]);
    expect(await checkpointsOf({ save_strategy: "no" })).toEqual([]);
    expect(await checkpointsOf({ save_strategy: "no" }, 4)).toEqual([4, 8]);
    expect(await checkpointsOf({ save_steps: 1, save_total_limit: 3 })).toEqual([6, 7, 8]);
  });

  it("a checkpoint for each best evaluation", async () => {
    const best = { save_strategy: "best", metric_for_best_model: "loss", eval_steps: 2 };
    // The loss falls throughout.
    expect(await checkpointsOf(best)).toEqual([2, 4, 6, 8]);
    expect(await checkpointsOf({ ...best, greater_is_better: true })).toEqual([2]);
  });

  it("examples are in order where the configuration says so, and `shuffle` does not", async () => {
    const first = async (config: object, given: Given = {}) =>
      (await take(await make({ max_steps: 3, ...config }, given)))[2];
    const sequential = { train_sampling_strategy: "sequential" };
    expect(await first(sequential)).toEqual(await first({}, { shuffle: false }));
    expect(await first(sequential, { shuffle: true })).toEqual(await first({}));
    expect(await first(sequential)).not.toEqual(await first({}));
    expect(await first({ ...sequential, loss_type: "kto" }, { examples: rows })).toBeDefined();
  });
});

describe("load_best_model_at_end", () => {
  // Its reward is least in the first evaluation: what is best lies before the end.
  const config = {
    ...{ max_steps: 9, eval_steps: 2, load_best_model_at_end: true, learning_rate: 0.05 },
    ...{ metric_for_best_model: "rewards/chosen", greater_is_better: false, lr_scheduler_type: "constant" },
  };
  const curveOf = async (given: Record<string, unknown> = config) => {
    const head = newHead();
    const trainer = await make(given, { evalExamples, head });
    const evaluated = new Map<number, { metrics: Readonly<Record<string, number>>; weight: Float32Array }>();
    for await (const { step, metrics } of trainer)
      if ("eval_loss" in metrics) evaluated.set(step, { metrics, weight: head.weight.slice() });
    return { trainer, head, evaluated };
  };

  it("ends with the head of the best evaluation, which it names", async () => {
    const plain = await curveOf({ ...config, load_best_model_at_end: false });
    const values = [...plain.evaluated].map(
      ([step, { metrics }]) => [step, metrics["eval_rewards/chosen"] as number] as const,
    );
    const [step, value] = values.reduce((least, one) => (one[1] < least[1] ? one : least));
    const { trainer, head, evaluated } = await curveOf();
    expect([...evaluated.keys()]).toEqual([2, 4, 6, 8, 9]);
    expect(trainer.best).toEqual({ step, metric: "eval_rewards/chosen", value });
    expect(step).toBeLessThan(9);
    expect(head.weight).toEqual(plain.evaluated.get(step)?.weight);
    expect(head.weight).not.toEqual(plain.head.weight);
    expect((await trainer.evaluate())["eval_rewards/chosen"]).toBe(value);
  });

  it.each([
    ["loss", undefined, "eval_loss", Math.min],
    ["eval_loss", undefined, "eval_loss", Math.min],
    ["rewards/margins", undefined, "eval_rewards/margins", Math.max],
    ["rewards/margins", false, "eval_rewards/margins", Math.min],
  ])("by %s, greater_is_better %s", async (metric_for_best_model, greater_is_better, key, pick) => {
    const { trainer, evaluated } = await curveOf({ ...config, metric_for_best_model, greater_is_better });
    expect(trainer.best?.value).toBe(pick(...[...evaluated.values()].map(({ metrics }) => metrics[key] as number)));
  });

  it("goes on from any step, also behind the end, to the same head", async () => {
    const { head: whole } = await curveOf();
    for (const at of [1, 3, 5, 8, 9]) {
      const store = memoryStore();
      const checkpoint = { store, everySteps: 1 };
      await take(await make(config, { evalExamples, checkpoint }), at);
      const head = newHead();
      const second = await make(config, { evalExamples, checkpoint, head, resume: true });
      expect([second.step, second.warnings]).toEqual([at, []]);
      await take(second);
      expect(head.weight).toEqual(whole.weight);
    }
  });

  it("keeps an adapter as well", async () => {
    const lora = { rank: 2, alpha: 4 };
    const trainer = await make(config, { evalExamples, lora });
    await take(trainer);
    const { best } = trainer;
    const stopped = await make(config, { evalExamples, lora });
    await take(stopped, best?.step);
    expect(trainer.head.lora).toEqual(stopped.head.lora);
  });

  it("a metric that is not there is named with those that are, and the training goes on", async () => {
    const { trainer, evaluated } = await curveOf({ ...config, metric_for_best_model: "rewards/margin" });
    expect(trainer.warnings).toEqual([
      "metric_for_best_model: not followed: eval_rewards/margin is no metric. Did you mean eval_rewards/margins?",
    ]);
    expect([evaluated.size, trainer.best]).toEqual([5, undefined]);
  });
});
