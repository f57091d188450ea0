// Writes an adapter as PEFT does, so that PEFT loads it.

import { checkCount, checkNumber } from "../../checks/numbers.ts";
import { recordOf } from "../../checks/record.ts";
import { wrongKind, wrongLength } from "../../checks/refusals.ts";
import { readLoraFields } from "../../inputs/lora.ts";
import { between, readNumber } from "../../losses/ranges.ts";
import { arrayKind } from "../../messages.ts";
import { writeSafetensors } from "../../safetensors/write.ts";
import { listOf, type Tensor } from "../tensors.ts";
import { printConfig } from "./config.ts";
import { type Adapter, type AdapterFiles, type AdapterToWrite, checkModule, namesOf } from "./types.ts";

const readFields = recordOf<AdapterToWrite>({ what: "adapter", field: "a part of an adapter" }, [
  "lora",
  "dropout",
  "baseModel",
  "module",
]);

/** What reading gives beside it, which the arrays say too. */
const others: readonly (keyof Adapter)[] = ["vocab", "hiddenSize", "weight"];

/**
 * The files of a LoRA of a head: where they stand in one folder, PEFT's `PeftModel.from_pretrained` takes it. What `readAdapter`
 * gives can be handed in as it is; `weight`, which is the base model's, is not written.
 *
 * Throws    KindError, ShapeError, ParamError
 * @example  import { writeAdapter } from "dpo-kernels/train";
 *           const lora = { a: new Float32Array(2 * 3), b: new Float32Array(4 * 2), rank: 2, scale: 2 };
 *           const files = writeAdapter({ lora, baseModel: "my-model" });
 *           console.log(Object.keys(files)); // "adapter_model.safetensors", "adapter_config.json"
 */
export function writeAdapter(adapter: AdapterToWrite): AdapterFiles {
  const { lora, dropout, baseModel, module = "lm_head" } = readFields(adapter, () => others);
  const { a, b, rank, scale } = readLoraFields(lora);
  checkCount(rank, "lora.rank");
  checkNumber(scale, "lora.scale");
  checkModule(module);
  if (baseModel !== undefined && typeof baseModel !== "string") {
    throw wrongKind("baseModel", "text", baseModel);
  }
  const config = { rank, scale, baseModel, dropout: readNumber(dropout, "dropout", between(0, 1, 0)) };
  const names = namesOf(module);
  const tensors = {
    [names.a]: { shape: [rank, widthOf(a, "lora.a", rank)], data: a },
    [names.b]: { shape: [widthOf(b, "lora.b", rank), rank], data: b },
  };
  return {
    "adapter_model.safetensors": writeSafetensors(tensors, { format: "pt" }),
    "adapter_config.json": printConfig(config, module),
  };
}

/** How many columns an array of `rank` rows has, or rows of `rank` columns. */
function widthOf(array: Tensor, name: string, rank: number): number {
  if (arrayKind(array) !== "Float32Array") throw wrongKind(name, "a Float32Array", array);
  const [{ length } = array] = listOf(array, name);
  if (length > 0 && length % rank === 0) return length / rank;
  throw wrongLength(name, `a multiple of the rank ${rank}`, `${length} values`);
}
