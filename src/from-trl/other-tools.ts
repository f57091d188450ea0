// What other tools than TRL call the choice of a loss. It is never read: a hint says how to say it here.

import { isLossType } from "./losses.ts";
import { recognise, trainerLosses } from "./trainers.ts";

const tools: Readonly<Record<string, string>> = { pref_loss: "LLaMA-Factory", rl: "axolotl", stage: "LLaMA-Factory" };

/** A hint for a key and its value, if they choose a loss for another tool: `pref_loss: "simpo"`. */
export function otherToolsLoss(key: string, value: unknown): string | undefined {
  const tool = Object.hasOwn(tools, key) ? tools[key] : undefined;
  if (tool === undefined || typeof value !== "string") return undefined;
  const named = value === "dpo" ? "sigmoid" : value;
  const { trainer } = recognise({ loss_type: named });
  // LLaMA-Factory's stage names the loss only where it is not DPO's; there pref_loss does.
  if (trainer === "dpo" && (!isLossType(named) || (key === "stage" && value !== "dpo")))
    return key === "pref_loss" ? `${tool}'s name for loss_type` : undefined;
  const loss = Object.keys(trainerLosses[trainer]).length === 1 ? "" : `loss_type: "${named}"`;
  const other = trainer === "dpo" ? "" : `{ trainer: "${trainer}" }`;
  return `${tool}'s way to say ${[loss, other].filter(Boolean).join(" with ")}`;
}
