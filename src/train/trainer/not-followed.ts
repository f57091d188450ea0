// The keys of a configuration that a training here does not follow, and the values at which there is nothing to say: those that TRL and
// transformers, of any version, have by default. Every key that fromTrl knows is read, warned of by it, or stands here.

import type { TrlConfig } from "../../from-trl/from-trl.ts";

/** What is said of keys, and of each the values at which they do nothing, beside null. */
type Group = readonly [says: string, keys: Readonly<Record<string, readonly unknown[]>>];

const off = [false];
const on = [true];
const either = [true, false];

/** What `to_dict()` makes of settings that nobody gave. */
const fsdpDefault = { min_num_params: 0, xla: false, xla_fsdp_v2: false, xla_fsdp_grad_ckpt: false };
const acceleratorDefault = {
  ...{ split_batches: false, dispatch_batches: null, even_batches: true, use_seedable_sampler: true },
  ...{ non_blocking: false, gradient_accumulation_kwargs: null },
};

const groups: readonly Group[] = [
  ["the batch size is what per_device_train_batch_size says", { auto_find_batch_size: off }],
  [
    "each epoch is shuffled, or in order, whatever the lengths",
    { group_by_length: off, length_column_name: ["length"], train_sampling_strategy: ["random", "sequential"] },
  ],
  ["call evaluate() before the first step", { eval_on_start: off }],
  ["nothing is generated", { generate_during_eval: off }],
  ["evaluation gives all metrics, and those alone", { prediction_loss_only: off, batch_eval_metrics: off }],
  [
    "evaluation gives all metrics, and those alone",
    { include_inputs_for_metrics: off, include_for_metrics: [[]], label_names: [[]], do_predict: off },
  ],
  [
    "optimisers take adam_beta1, adam_beta2, adam_epsilon, weight_decay alone",
    { optim_args: [""], optim_target_modules: [[]] },
  ],
  ["the data begin where they began, or behind the checkpoint", { ignore_data_skip: off }],
  ["`checkpoint.overwrite: true` begins anew where the store holds checkpoints", { overwrite_output_dir: off }],
  [
    "checkpoints hold all that it takes to go on, in safetensors",
    { save_only_model: off, save_safetensors: on, enable_jit_checkpoint: off },
  ],
  [
    "checkpoints hold all that it takes to go on",
    { restore_callback_states_from_checkpoint: off, save_on_each_node: off },
  ],
  ["an adapter is what `lora` says", { model_adapter_name: ["train"], ref_adapter_name: ["reference"] }],
  ["the reference is what `reference` says", { ref_model_init_kwargs: [{}], force_use_ref_model: off }],
  ["the reference's log-probs are computed in the batches of the training", { precompute_ref_batch_size: [] }],
  [
    "the model is your backbone",
    { model_init_kwargs: [{}], trust_remote_code: off, base_model_attribute_name: ["model"], use_cache: off },
  ],
  ["the model is your backbone", { past_index: [-1], liger_kernel_config: [{}], activation_offloading: off }],
  ["rows are padded, and padding is not computed", { padding_free: off }],
  ["positions that do not count are never computed", { use_logits_to_keep: either, use_num_logits_to_keep: either }],
  ["examples are token lists with masks of their own", { label_pad_token_id: [-100], tools: [[], {}] }],
  [
    "examples are taken as they are, by one thread",
    { dataset_num_proc: [], remove_unused_columns: on, dataloader_num_workers: [0], dataloader_pin_memory: either },
  ],
  [
    "examples are taken as they are, by one thread",
    {
      ...{ dataloader_persistent_workers: off, dataloader_prefetch_factor: [], dataloader_in_order: on },
      ...{ dataloader_multiprocessing_context: [], dispatch_batches: [], split_batches: [] },
    },
  ],
  [
    "all is computed in float32, on hidden states as they come",
    { bf16: off, fp16: off, tf32: off, bf16_full_eval: off, fp16_full_eval: off },
  ],
  [
    "all is computed in float32, on hidden states as they come",
    { fp16_opt_level: ["O1"], fp16_backend: ["auto"], half_precision_backend: ["auto"] },
  ],
  [
    "the frozen model has no backward pass",
    {
      ...{ gradient_checkpointing: either, gradient_checkpointing_kwargs: [{}, { use_reentrant: false }] },
      ...{ activation_checkpointing: either, activation_checkpointing_kwargs: [{}] },
    },
  ],
  [
    "what computes is what `backend` says",
    {
      ...{ torch_compile: off, torch_compile_backend: [], torch_compile_mode: [], torchdynamo: [] },
      ...{ torch_empty_cache_steps: [], jit_mode_eval: off, use_legacy_prediction_loop: off, use_ipex: off },
      ...{ no_cuda: off, use_cpu: off, use_mps_device: off, xpu_backend: [], tpu_num_cores: [], mp_parameters: [""] },
    },
  ],
  [
    "one process trains, in workers where `backend` has them",
    {
      ...{
        local_rank: [-1],
        ddp_backend: [],
        ddp_timeout: [1800],
        ddp_find_unused_parameters: [],
        ddp_bucket_cap_mb: [],
      },
      ...{ ddp_broadcast_buffers: [], ddp_static_graph: [], sharded_ddp: ["", []], fsdp: ["", false, []] },
      ...{
        fsdp_config: [{}, fsdpDefault],
        fsdp_min_num_params: [0],
        fsdp_transformer_layer_cls_to_wrap: [],
        deepspeed: [],
      },
      ...{
        accelerator_config: [{}, acceleratorDefault],
        parallelism_config: [],
        average_tokens_across_devices: either,
      },
      ...{ ray_scope: ["last"], eval_accumulation_steps: [], eval_do_concat_batches: on, eval_use_gather_object: off },
    },
  ],
  ["the same numbers come each time, whatever it says", { full_determinism: either }],
  [
    "metrics are what each step gives, and log; where they go is up to you",
    {
      ...{ report_to: ["none", "all", [], ["none"], ["all"]], run_name: [], project: ["huggingface"], logging_dir: [] },
      ...{ trackio_space_id: ["trackio"], trackio_bucket_id: [], trackio_static_space_id: [] },
      ...{ include_tokens_per_second: off, skip_memory_metrics: on, tpu_metrics_debug: off, debug: ["", []] },
      ...{ log_level: ["passive"], log_level_replica: ["warning"], log_on_each_node: on, disable_tqdm: either },
    },
  ],
  ["num_tokens is always there", { include_num_input_tokens_seen: [...either, "no", "all", "non_padding"] }],
  ["a NaN is logged as it is", { logging_nan_inf_filter: either }],
  ["a training is what createTrainer makes", { do_train: either, do_eval: either }],
  [
    "nothing is uploaded",
    {
      ...{
        push_to_hub: off,
        push_to_hub_model_id: [],
        push_to_hub_organization: [],
        push_to_hub_token: ["<PUSH_TO_HUB_TOKEN>"],
      },
      ...{ hub_model_id: [], hub_strategy: ["every_save"], hub_token: ["<HUB_TOKEN>"], hub_private_repo: off },
      ...{ hub_always_push: off, hub_revision: [] },
    },
  ],
];

const noStore = "nothing is saved without `checkpoint`";
const noExamples = "nothing is evaluated without `evalExamples`";

/** Keys that need an option of createTrainer: which, and what is said without it. */
const needing: readonly (readonly ["checkpoint" | "evalExamples" | "resume", ...Group])[] = [
  ["resume", "`resume: true` goes on from the newest checkpoint of the store", { resume_from_checkpoint: off }],
  ["checkpoint", noStore, { output_dir: ["trainer_output"], save_strategy: ["steps", "no"], save_steps: [500] }],
  ["checkpoint", noStore, { save_total_limit: [] }],
  ["evalExamples", noExamples, { eval_strategy: ["no"], evaluation_strategy: ["no"] }],
  ["evalExamples", noExamples, { load_best_model_at_end: off, metric_for_best_model: [], greater_is_better: [] }],
];

type Entry = readonly [key: string, what: { readonly says: string; readonly off: readonly unknown[] }];

const entriesOf = ([says, keys]: Group): Entry[] =>
  Object.entries(keys).map(([key, values]) => [key, { says, off: values }]);

/** By key. */
export const notFollowed: ReadonlyMap<string, Entry[1]> = new Map(groups.flatMap(entriesOf));

/** Warns of each key that asks for something else than is done here, or for what an option of createTrainer would have to bring. */
export function warnOfKeys(
  { config, ...options }: { config: TrlConfig; checkpoint?: unknown; evalExamples?: unknown; resume?: unknown },
  warn: (text: string) => void,
): void {
  const missing = needing.flatMap(([option, ...group]) => (options[option] === undefined ? entriesOf(group) : []));
  const unmet = new Map(missing);
  for (const [key, value] of Object.entries(config)) {
    const known = notFollowed.get(key) ?? unmet.get(key);
    if (!known || value === null || value === undefined) continue;
    const text = textOf(value);
    if (!known.off.some((one) => textOf(one) === text)) warn(`${key}: not followed: ${known.says}`);
  }
}

/** Lists and objects by what is in them, members of Python's enumerations by their names. */
const textOf = (value: unknown): string =>
  JSON.stringify(typeof value === "string" ? value.replace(/^\w+\.(?=[A-Z_]+$)/, "").toLowerCase() : value);
