// A LoRA of a head, on its way into PEFT's files and out of them.

import { quoted } from "../../checks/printable.ts";
import { outOfRange, wrongKind } from "../../checks/refusals.ts";
import type { Floats, Lora } from "../../types.ts";

/** The files of an adapter's folder, by their names. */
export interface AdapterFiles {
  readonly "adapter_model.safetensors": Uint8Array<ArrayBuffer>;
  readonly "adapter_config.json": string;
}

/** An adapter to write. */
export interface AdapterToWrite {
  /** As `linearLoss` takes it. */
  readonly lora: Lora;
  /** Of the training. Default 0. */
  readonly dropout?: number | undefined;
  /** The base model's folder, or its name on a hub, for those who load the adapter by its own name. */
  readonly baseModel?: string | undefined;
  /** What the model calls its head. Default "lm_head". */
  readonly module?: string | undefined;
}

/** An adapter that was read. */
export interface Adapter extends AdapterToWrite {
  readonly dropout: number;
  readonly module: string;
  /** V */
  readonly vocab: number;
  /** D */
  readonly hiddenSize: number;
  /** [V·D] The head under the adapter, where the file has it: PEFT saves it with adapters of a head. */
  readonly weight?: Floats;
}

export const PREFIX = "base_model.model.";

/** The names of the tensors of an adapter of `module`. */
export const namesOf = (module: string) => ({
  a: `${PREFIX}${module}.lora_A.weight`,
  b: `${PREFIX}${module}.lora_B.weight`,
  weight: `${PREFIX}${module}.base_layer.weight`,
});

/** Throws    KindError, ParamError for what is no name of a module in PyTorch */
export function checkModule(module: unknown): asserts module is string {
  if (typeof module !== "string") throw wrongKind("module", "text", module);
  if (/^\w+(\.\w+)*$/.test(module)) return;
  throw outOfRange("module", "the name of a module", quoted(module));
}
