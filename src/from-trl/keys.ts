// Every key of TRL's DPOConfig, CPOConfig, ORPOConfig, KTOConfig, BCOConfig, in any version, and of the TrainingArguments they
// extend. docs/from-trl.md lists the same keys: test/from-trl-docs.test.ts compares. Names of TRL v0.7 to v1.16 and of
// transformers up to v5.24.

import { trainKeys } from "./train.ts";

/** TRL's trainers of preferences. */
export type Trainer = "dpo" | "cpo" | "orpo" | "kto" | "bco";

export type TruncationMode = "keep_start" | "keep_end";

/** What the values of a kind of key are. */
export interface Values {
  number: number;
  count: number;
  multiple: number | string;
  integer: number;
  id: number;
  flag: boolean;
  text: string;
  names: string | readonly string[];
  numbers: readonly number[];
  divergence: string;
  truncation: TruncationMode;
  object: object;
}

export type Kind = keyof Values;

/** Keys that are read, with the kind their value must be of. */
export const readKeys = {
  // loss
  loss_type: "names",
  loss_weights: "numbers",
  beta: "number",
  label_smoothing: "number",
  discopop_tau: "number",
  f_divergence_type: "divergence",
  f_alpha_divergence_coef: "number",
  ld_alpha: "number",
  use_weighting: "flag",
  reference_free: "flag",
  rpo_alpha: "number",
  cpo_alpha: "number",
  simpo_gamma: "number",
  alpha: "number",
  desirable_weight: "number",
  undesirable_weight: "number",
  // collate
  max_length: "count",
  max_prompt_length: "count",
  max_completion_length: "count",
  truncation_mode: "truncation",
  pad_to_multiple_of: "multiple",
  padding_value: "id",
  ...trainKeys,
} as const satisfies Record<string, Kind>;

export type Key = keyof typeof readKeys;

/** Key -> the name it had before; read where the newer one is absent. */
export const formerKeys: Readonly<Partial<Record<Key, string>>> = {
  max_completion_length: "max_target_length",
  per_device_train_batch_size: "per_gpu_train_batch_size",
  per_device_eval_batch_size: "per_gpu_eval_batch_size",
};

interface Elsewhere {
  /** The values at which the key does nothing; empty where any value does something. */
  readonly off: readonly unknown[];
  readonly says: string;
}

const liger =
  "TRL's fused path, up to v1.9, hands on β and the loss name alone: label_smoothing and discopop_tau take Liger's " +
  "defaults there; here every option counts";

const densityRatio = "the density ratio is yours to estimate: densityRatio of the rows";

/** Keys that change TRL's numbers and that no call here follows: a warning where they are on. */
export const elsewhereKeys = {
  sync_ref_model: { off: [false], says: "the reference is whatever you pass; to follow TR-DPO, update it yourself" },
  use_liger_kernel: { off: [false], says: liger },
  use_liger_loss: { off: [false], says: liger },
  is_encoder_decoder: { off: [false], says: "only decoder models are covered: position t predicts token t + 1" },
  disable_dropout: { off: [true], says: "dropout is up to the model that gives the log-probabilities" },
  neftune_noise_alpha: { off: [], says: "noise on embeddings is up to the model that gives the log-probabilities" },
  router_aux_loss_coef: { off: [0, 0.001], says: "the auxiliary loss of mixtures of experts is not added" },
  label_smoothing_factor: { off: [0], says: "it smooths cross-entropy; DPO never uses it, its ε is label_smoothing" },
  pad_token: { off: [], says: "a token, not an id: give its id to collate as padTokenId" },
  min_density_ratio: { off: [], says: densityRatio },
  max_density_ratio: { off: [], says: densityRatio },
  prompt_sample_size: { off: [], says: densityRatio },
  adafactor: { off: [false], says: 'the newer spelling is optim: "adafactor"' },
} as const satisfies Record<string, Elsewhere>;

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Keys that not every trainer has, by trainer. */
const ownKeys: Readonly<Record<Trainer, readonly string[]>> = {
  dpo: words(`
    loss_type loss_weights label_smoothing discopop_tau f_divergence_type f_alpha_divergence_coef ld_alpha use_weighting
    reference_free rpo_alpha
  `),
  cpo: words("loss_type label_smoothing cpo_alpha simpo_gamma alpha"),
  orpo: [],
  kto: words("loss_type desirable_weight undesirable_weight"),
  bco: words("min_density_ratio max_density_ratio prompt_sample_size"),
};

export const trainers = Object.keys(ownKeys) as readonly Trainer[];

/** The trainers that have a key. */
export function ownersOf(key: string): readonly Trainer[] {
  const owners = trainers.filter((trainer) => ownKeys[trainer].includes(key));
  return owners.length > 0 ? owners : trainers;
}

const perToken = 'log-probabilities per token: loss_type "sigmoid_norm" (or "ipo")';

const weightOf = (rows: string): string => `elsewhere a name for ${rows}_weight of KTOConfig`;

/** Keys of other tools that say by themselves what TRL says by the value of another key. */
export const otherTools: Readonly<Record<string, string>> = {
  orpo_alpha: "elsewhere a name for beta of ORPOConfig",
  kto_desirable_weight: weightOf("desirable"),
  kto_undesirable_weight: weightOf("undesirable"),
  kto_chosen_weight: weightOf("desirable"),
  kto_rejected_weight: weightOf("undesirable"),
  dpo_norm_loss: `axolotl's name for ${perToken}`,
  preference_average_log_probs: `NeMo's name for ${perToken}`,
  average_log_prob: `elsewhere a name for ${perToken}`,
};

/** Keys of running a job: models, data loading, devices, precision, memory, logging, saving. They change no formula. */
export const silentKeys = words(`
  ref_model_mixup_alpha ref_model_sync_steps precompute_ref_log_probs precompute_ref_batch_size label_pad_token_id
  padding_free use_logits_to_keep use_num_logits_to_keep dataset_num_proc tools generate_during_eval
  model_init_kwargs ref_model_init_kwargs model_adapter_name ref_adapter_name force_use_ref_model trust_remote_code
  base_model_attribute_name activation_offloading
  output_dir overwrite_output_dir do_train do_eval do_predict evaluation_strategy eval_strategy eval_steps eval_delay
  eval_on_start eval_accumulation_steps eval_do_concat_batches eval_use_gather_object batch_eval_metrics
  prediction_loss_only include_inputs_for_metrics include_for_metrics label_names
  logging_dir logging_strategy logging_first_step logging_steps logging_nan_inf_filter log_level log_level_replica
  log_on_each_node report_to run_name project disable_tqdm include_tokens_per_second include_num_input_tokens_seen
  skip_memory_metrics trackio_space_id trackio_bucket_id trackio_static_space_id
  save_strategy save_steps save_total_limit save_safetensors save_on_each_node save_only_model enable_jit_checkpoint
  restore_callback_states_from_checkpoint load_best_model_at_end metric_for_best_model greater_is_better
  resume_from_checkpoint ignore_data_skip
  push_to_hub push_to_hub_model_id push_to_hub_organization push_to_hub_token hub_model_id hub_strategy hub_token
  hub_private_repo hub_always_push hub_revision
  bf16 fp16 tf32 bf16_full_eval fp16_full_eval fp16_opt_level fp16_backend half_precision_backend
  gradient_checkpointing gradient_checkpointing_kwargs activation_checkpointing activation_checkpointing_kwargs torch_compile torch_compile_backend torch_compile_mode
  torchdynamo torch_empty_cache_steps liger_kernel_config use_cache jit_mode_eval auto_find_batch_size
  optim_target_modules average_tokens_across_devices full_determinism
  no_cuda use_cpu use_mps_device use_ipex xpu_backend local_rank ddp_backend ddp_timeout ddp_find_unused_parameters
  ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph sharded_ddp fsdp fsdp_config fsdp_min_num_params
  fsdp_transformer_layer_cls_to_wrap deepspeed accelerator_config parallelism_config dispatch_batches split_batches
  tpu_num_cores tpu_metrics_debug mp_parameters ray_scope debug past_index use_legacy_prediction_loop
  dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers dataloader_prefetch_factor
  dataloader_multiprocessing_context dataloader_in_order remove_unused_columns group_by_length length_column_name
  train_sampling_strategy
`);

/** All keys that fromTrl knows. */
export const knownKeys: readonly string[] = [
  ...Object.keys(readKeys),
  ...Object.values(formerKeys),
  ...Object.keys(elsewhereKeys),
  ...silentKeys,
];
