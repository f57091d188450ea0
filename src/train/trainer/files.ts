// The files that a training leaves: the head, or its adapter as PEFT has it, with the configuration beside it.

import { writeSafetensors } from "../../safetensors/write.ts";
import { writeAdapter } from "../peft/write.ts";
import type { Recipe } from "./config.ts";
import type { Parameters } from "./parameters.ts";
import type { TrainedFiles } from "./types.ts";

/** `model.safetensors` with `lm_head.weight` (and `lm_head.bias`), or `adapter_model.safetensors` and `adapter_config.json`; `training_config.json`. */
export async function filesOf({ list, head, bring }: Parameters, { config }: Recipe): Promise<TrainedFiles> {
  await bring();
  const text = new TextEncoder();
  const training = { "training_config.json": text.encode(`${JSON.stringify(config, undefined, 2)}\n`) };
  const { lora } = head;
  if (lora) {
    const { "adapter_config.json": config, ...adapter } = writeAdapter({ lora });
    return { ...adapter, "adapter_config.json": text.encode(config), ...training };
  }
  const tensors = list.map(({ name, host, shape }) => [`lm_head.${name}`, { shape, data: host }] as const);
  return { "model.safetensors": writeSafetensors(Object.fromEntries(tensors), { format: "pt" }), ...training };
}
