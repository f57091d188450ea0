// A TRL configuration, with the options of the command line put over it.

import { fromTrl, type TrlConfig } from "../from-trl/from-trl.ts";
import { trainerOf } from "../from-trl/trainers.ts";
import { DpoError } from "../index.ts";
import type { LossOptions } from "../types.ts";
import { readConfigFile } from "./config-file.ts";
import { refusal } from "./refusal.ts";

/** The option as it is written on the command line. */
export const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The keys of a configuration that an option of the command line takes the place of. */
const replaced: Readonly<Partial<Record<keyof LossOptions, string>>> = {
  lossType: "loss_type",
  lossWeights: "loss_weights",
  beta: "beta",
  labelSmoothing: "label_smoothing",
  discopopTau: "discopop_tau",
  fDivergence: "f_divergence_type",
  fAlpha: "f_alpha_divergence_coef",
  referenceFree: "reference_free",
};

/** These are not put into the configuration: there they have another meaning in some of TRL's versions. */
const ownMeaning: readonly string[] = ["fAlpha", "referenceFree"];

/**
 * The loss options of a configuration file with those of the command line over them, and what is to be said of it.
 *
 * What is given prevails key by key. Losses and weights are one thing: a loss type that is given replaces the
 * configuration's weights and `rpo_alpha` too.
 *
 * Throws    a refusal that names the file, and where it can line, column and key
 */
export async function readConfig(
  file: string,
  version: string | undefined,
  given: LossOptions,
): Promise<{ options: LossOptions; warnings: string[] }> {
  const { config, place } = await readConfigFile(file);
  const { overlay, notes } = overlayOf(given, config);
  try {
    // What --loss-type names are losses of the table, whosever configuration this is.
    const trainer = given.lossType === undefined ? undefined : trainerOf([given.lossType].flat());
    const { loss, warnings } = fromTrl({ ...config, ...overlay }, { version, trainer });
    const { lossType: _type, lossWeights: _weights, ...others } = given;
    const { cpoAlpha, ...options }: LossOptions & { cpoAlpha?: number | undefined } = { ...loss, ...others };
    if (cpoAlpha !== undefined)
      notes.push("cpo_alpha: left out, since the likelihood is of tokens, which no file here has");
    return { options, warnings: [...notes, ...warnings] };
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    const key = /^config\.(\w+)/.exec(error.message)?.[1] ?? "";
    const option = Object.keys(given).find((name) => replaced[name as keyof LossOptions] === key);
    if (option) throw refusal(error.message.replace(`config.${key}`, dashed(option)));
    if (key === "") throw refusal(`--trl-version: ${error.message}`);
    throw refusal(`${place(key)}: ${error.message.replace(/^config\./, "")}`);
  }
}

/** What takes the place of the configuration's own keys. */
function overlayOf(given: LossOptions, config: TrlConfig): { overlay: TrlConfig; notes: string[] } {
  const overlay: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(replaced)) {
    const value = given[name as keyof LossOptions];
    if (value !== undefined) overlay[key] = ownMeaning.includes(name) ? null : value;
  }
  const { lossType, lossWeights } = given;
  if (lossType === undefined) return { overlay: { ...overlay, ...withSft(lossWeights, config) }, notes: [] };
  const gone = ["loss_weights", "rpo_alpha"].filter((key) => overlay[key] === undefined);
  const notes = gone
    .filter((key) => (config[key] ?? null) !== null)
    .map((key) => `${key}: left out, with the losses that --loss-type replaces`);
  return { overlay: { ...overlay, ...Object.fromEntries(gone.map((key) => [key, null])) }, notes };
}

/** Weights for the losses of a configuration and for the sft that its `rpo_alpha` adds, if there is one more of them. */
function withSft(weights: LossOptions["lossWeights"], { loss_type, rpo_alpha }: TrlConfig): TrlConfig {
  const types: unknown[] = Array.isArray(loss_type) ? loss_type : [loss_type ?? "sigmoid"];
  if ((rpo_alpha ?? null) === null || weights?.length !== types.length + 1) return {};
  return { loss_type: [...types, "sft"], rpo_alpha: null };
}
