// How tokens are cut and padded (losses.md §7).

import type { TruncationMode } from "./keys.ts";
import type { Reading } from "./reading.ts";
import { configOf } from "./trainers.ts";

/** How tokens are cut and padded: what the configuration says, and nothing else. */
export interface TrlCollate {
  maxLength?: number | undefined;
  maxPromptLength?: number | undefined;
  maxCompletionLength?: number | undefined;
  truncationMode?: TruncationMode | undefined;
  padToMultipleOf?: number | undefined;
  padTokenId?: number | undefined;
}

export function readCollate(reading: Reading): TrlCollate {
  const { get, before, warn, trainer } = reading;
  for (const key of ["max_prompt_length", "max_completion_length"] as const) {
    if (get(key) === undefined || before("0.29") || trainer !== "dpo") continue;
    warn(key, "gone since TRL v0.29, which cuts prompt and completion together to max_length; read as before");
  }
  return {
    maxLength: get("max_length"),
    maxPromptLength: get("max_prompt_length"),
    maxCompletionLength: get("max_completion_length"),
    truncationMode: readTruncation(reading),
    padToMultipleOf: readMultiple(get("pad_to_multiple_of")),
    padTokenId: get("padding_value"),
  };
}

/** The command line of TRL gives text. "auto", its default since v1.16, pads to 128 on Neuron, which this is not. */
function readMultiple(given: number | string | undefined): number | undefined {
  if (typeof given !== "string") return given;
  return /^\d/.test(given) ? Number(given) : undefined;
}

/** The first version whose trainer keeps the start of what is longer than `max_length`; before it, the prompt was cut first. */
const keepsStartSince = { dpo: "0.29", kto: "1.3", cpo: "1.15", orpo: "1.15", bco: undefined } as const;

/** Which end `max_length` keeps: DPO's v0.14 – v0.28 the last tokens by default, v0.12 and v0.13 always the first ones. */
function readTruncation({ get, before, trl, warn, trainer }: Reading): TruncationMode | undefined {
  const mode = get("truncation_mode");
  if (get("max_length") === undefined) return mode;
  const since = keepsStartSince[trainer];
  const keepsStart = since !== undefined && !before(since);
  if (trainer === "dpo" && keepsStart) return mode;
  if (trainer !== "dpo") {
    // Options that these trainers no longer have are of a time when they cut the prompt.
    if (keepsStart && mode === undefined && get("max_prompt_length") === undefined) return undefined;
    const when = since === undefined ? "" : ` before v${since}`;
    warn(
      "max_length",
      `${configOf(trainer)}'s trainer${when} cut the prompt first, or the start: read as ${mode ?? "keep_end"}`,
    );
    return mode ?? "keep_end";
  }
  if (before("0.12")) {
    warn("max_length", `${trl} cuts the prompt first, as truncation_mode says, then the completion; not followed`);
    return mode;
  }
  if (before("0.14")) {
    if (mode === "keep_end") warn("truncation_mode", `${trl} ignores it and keeps the start: read as keep_start`);
    return "keep_start";
  }
  if (mode === undefined) warn("truncation_mode", `${trl} keeps the end by default: written out as keep_end`);
  return mode ?? "keep_end";
}
