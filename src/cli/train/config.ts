// What is to be done: the configuration with the options of the command line over it, and the adapter, if there is to be one.

import { DpoError } from "../../errors.ts";
import { type FromTrlResult, fromTrl, type TrlConfig } from "../../from-trl/from-trl.ts";
import type { TrainLora } from "../../train.ts";
import { type ConfigFile, readConfigFile } from "../config-file.ts";
import { refusal } from "../refusal.ts";
import { asOption } from "./keys.ts";

export interface Settings {
  /** As the trainer takes it. */
  readonly config: TrlConfig;
  readonly lora: TrainLora | undefined;
  readonly collate: FromTrlResult["collate"];
  readonly lossTypes: readonly string[];
  readonly notes: readonly string[];
  /** Gives errors of the configuration their place: file, line and key, or the option. */
  placed<T>(work: () => T): T;
  /** The same error, or a refusal that says where its key stands. */
  place(error: unknown): unknown;
}

/** TRL's keys of adapters that say what is otherwise here. */
const otherAdapters: Readonly<Record<string, string>> = {
  lora_dropout: "none here: hidden states reach the adapter as they are",
  lora_target_modules: "the head alone is trained here",
  lora_target_parameters: "the head alone is trained here",
  lora_modules_to_save: "the head alone is trained here",
  lora_task_type: "always CAUSAL_LM here",
  use_rslora: "not here: the scale is alpha/rank",
  use_dora: "not here: a plain LoRA",
};

/** Throws    a refusal that names file, line and key, or the option */
export async function readSettings(
  file: string | undefined,
  version: string | undefined,
  given: TrlConfig,
): Promise<Settings> {
  if (version !== undefined && file === undefined) throw refusal("--trl-version: needs --config");
  const opened: ConfigFile = file === undefined ? { config: {}, place: () => "" } : await readConfigFile(file);
  const all: Record<string, unknown> = { ...opened.config, ...given };
  const notes: string[] = [];
  // As in the other commands: losses that are given replace the file's weights too.
  for (const key of given["loss_type"] === undefined ? [] : ["loss_weights", "rpo_alpha"]) {
    if (given[key] !== undefined || (all[key] ?? null) === null) continue;
    notes.push(`${key}: left out, with the losses that --loss-type replaces`);
    delete all[key];
  }
  const place = (error: unknown): unknown => {
    const [, key] = /^config\.(\w+)/.exec(error instanceof DpoError ? error.message : "") ?? [];
    if (!(error instanceof DpoError) || key === undefined) return error;
    if (Object.hasOwn(given, key)) return refusal(asOption(error.message, key));
    return refusal(`${opened.place(key) || "train"}: ${error.message.replace(/^config\./, "")}`);
  };
  const placed = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw place(error);
    }
  };
  const { config, lora } = placed(() => withoutAdapter(all, given, notes));
  const { collate, loss } = placed(() => fromTrl(config, { version }));
  return { config, lora, collate, lossTypes: [loss.lossType ?? []].flat().map(String), notes, placed, place };
}

function withoutAdapter(all: Readonly<Record<string, unknown>>, given: TrlConfig, notes: string[]) {
  const { use_peft, lora_r, lora_alpha, ...others } = all;
  const usesPeft = use_peft === true || (use_peft === undefined && given["lora_r"] !== undefined);
  const config = Object.entries(others).filter(([key, value]) => {
    if (!Object.hasOwn(otherAdapters, key)) return true;
    const isOff = value === null || value === false || value === 0;
    if (usesPeft && !isOff) notes.push(`${key}: ${otherAdapters[key]}`);
    return false;
  });
  if (!usesPeft) {
    if ((lora_r ?? lora_alpha ?? null) !== null)
      notes.push("lora_r: without use_peft the head itself is trained, as in TRL");
    return { config: Object.fromEntries(config), lora: undefined };
  }
  return {
    config: Object.fromEntries(config),
    lora: { rank: positive(lora_r, "lora_r", 16), alpha: positive(lora_alpha, "lora_alpha", 32) },
  };
}

function positive(value: unknown, key: string, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  const isRight = typeof value === "number" && value > 0 && (key !== "lora_r" || Number.isInteger(value));
  if (isRight) return value;
  const expected = key === "lora_r" ? "a positive integer" : "a number above 0";
  throw new DpoError(
    "out-of-range",
    `config.${key}: expected ${expected}, got ${typeof value === "number" ? value : typeof value}`,
  );
}
