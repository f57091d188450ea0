// What the settings of a training loop are called elsewhere, for hints: src/checks/hints.ts. Sources as for losses.

import type { Synonyms } from "./hints.ts";

export const trainingSynonyms: Synonyms = [
  ["learning_rate lr", ""],
  [
    "per_device_train_batch_size batch_size",
    "micro_batch_size per_device_batch_size train_micro_batch_size micro_train_batch_size",
  ],
  ["per_device_eval_batch_size eval_batch_size", "val_micro_batch_size micro_eval_batch_size"],
  [
    "gradient_accumulation_steps",
    "gradient_accumulation grad_accum grad_accum_steps grad_accumulation_steps accumulation_steps accumulate_grad_batches",
  ],
  ["num_train_epochs", "epochs num_epochs n_epochs max_epochs max_num_epochs train_epochs"],
  ["max_steps", "max_num_steps max_train_steps num_train_steps num_training_steps total_steps"],
  [
    "max_grad_norm",
    "max_norm clip_grad clip_grad_norm grad_clip gradient_clip_val gradient_clipping max_gradient_norm",
  ],
  ["weight_decay", "wd"],
  ["optim", "optimizer optimiser"],
  ["optim_args", "optimizer_args optimizer_kwargs"],
  ["adam_beta1 betas", "beta1 adam_betas"],
  ["adam_beta2 betas", "beta2 adam_betas"],
  ["adam_epsilon eps", "adam_eps epsilon"],
  ["lr_scheduler_type", "lr_scheduler lr_schedule scheduler scheduler_type schedule lr_decay_style"],
  ["lr_scheduler_kwargs", "lr_scheduler_args scheduler_kwargs scheduler_args"],
  ["warmup_steps", "num_warmup_steps warmup_iters lr_warmup_iters"],
  ["warmup_ratio", "warmup_fraction lr_warmup_ratio"],
  ["seed", "random_seed manual_seed random_state"],
  ["dataloader_drop_last drop_last", "drop_last_batch"],
  ["use_liger_kernel", "dpo_use_liger_kernel use_liger"],
  ["precompute_ref_log_probs", "precompute_ref_logps precompute_reference_log_probs precompute_ref_logprobs"],
];
