// The keys of a configuration as options of the command line, which take precedence over the file key by key.

import { type Command, InvalidArgumentError } from "commander";
import type { TrlConfig } from "../../from-trl/from-trl.ts";
import { type Kind, readKeys } from "../../from-trl/keys.ts";
import { numberOf } from "../option-values.ts";

/** Beside what fromTrl reads: keys of the trainer, and TRL's of adapters. */
const more = {
  eval_strategy: "text",
  eval_steps: "number",
  eval_delay: "number",
  logging_strategy: "text",
  logging_steps: "number",
  logging_first_step: "flag",
  save_strategy: "text",
  save_steps: "number",
  save_total_limit: "integer",
  load_best_model_at_end: "flag",
  metric_for_best_model: "text",
  greater_is_better: "flag",
  train_sampling_strategy: "text",
  precompute_ref_log_probs: "flag",
  sync_ref_model: "flag",
  ref_model_mixup_alpha: "number",
  ref_model_sync_steps: "count",
  use_peft: "flag",
  lora_r: "count",
  lora_alpha: "number",
} as const satisfies Record<string, Kind>;

const keys: Readonly<Record<string, Kind>> = { ...more, ...readKeys };

/** What the help lists; the others are there too. */
const listed: Readonly<Record<string, string>> = {
  loss_type: "one or several, then a weighted sum (default: sigmoid)",
  loss_weights: "one for each loss",
  beta: "how strongly the reference holds the policy (default: 0.1)",
  learning_rate: "its peak (default: 1e-6)",
  num_train_epochs: "passes over the data (default: 3)",
  max_steps: "steps, in place of epochs",
  per_device_train_batch_size: "pairs in a batch (default: 8)",
  gradient_accumulation_steps: "batches in a step (default: 1)",
  max_length: "longest sequence; longer ones are truncated",
  seed: "of the data's order (default: 42)",
  eval_steps: "steps between two evaluations",
  save_steps: "steps between two checkpoints (default: 500)",
  use_peft: "train a LoRA of the head in its place",
  lora_r: "rank of the adapter (default: 16)",
  lora_alpha: "its scale is alpha/rank (default: 32)",
};

const nameOf = (key: string): string => `--${key.replaceAll("_", "-")}`;
const attributeOf = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Adds an option for each key. */
export function addKeys(command: Command): Command {
  for (const key of [...Object.keys(listed), ...Object.keys(keys).filter((key) => !Object.hasOwn(listed, key))]) {
    const kind = keys[key] as Kind;
    const option = command.createOption(
      kind === "flag" ? `${nameOf(key)} [true|false]` : `${nameOf(key)} <value>`,
      listed[key] ?? "",
    );
    option.argParser((text) => parseValue(kind, text)).hideHelp(!Object.hasOwn(listed, key));
    if (kind === "flag") option.preset("true");
    command.addOption(option);
  }
  return command;
}

/** The keys that the command line gives. */
export function givenKeys(flags: Readonly<Record<string, unknown>>): TrlConfig {
  const given = Object.keys(keys).flatMap((key) => {
    const value = flags[attributeOf(key)];
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries(given);
}

/** What is said of a key that the command line gave, under its name there. */
export const asOption = (message: string, key: string): string => message.replace(`config.${key}`, nameOf(key));

function parseValue(kind: Kind, text: string): unknown {
  if (kind === "names") return text.includes(",") ? text.split(",") : text;
  if (kind === "numbers") return text.split(",").map(numberOf);
  if (kind === "flag") return flagOf(text);
  if (["number", "count", "integer", "id"].includes(kind)) return numberOf(text);
  if (kind === "object") return objectOf(text);
  return text;
}

function flagOf(text: string): boolean {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true";
  throw new InvalidArgumentError("Expected true or false.");
}

function objectOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("Expected an object in JSON.");
  }
}
