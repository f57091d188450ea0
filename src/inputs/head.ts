// A head and the hidden states before it, checked: the policy's and a reference's.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { recordOf } from "../checks/record.ts";
import { KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";
import { checkNumber } from "../plan/plan.ts";
import type { LinearBatch, Lora } from "../types.ts";
import { type FloatData, isFloat32, readFloats } from "./floats.ts";
import { checkFinite, checkFiniteRows } from "./token-results.ts";
import { checkCount, type TokenList } from "./tokens.ts";
import type { Transform } from "./transform.ts";

/** A checked head and the hidden states before it. */
export interface HeadData {
  readonly width: number;
  readonly hidden: FloatData;
  readonly weight: FloatData;
  readonly bias: FloatData | undefined;
  readonly lora:
    | { readonly a: FloatData; readonly b: FloatData; readonly rank: number; readonly scale: number }
    | undefined;
  /** What becomes of the logits. */
  readonly transform?: Transform | undefined;
}

/** Checks hidden states and their head, named with `prefix`. */
export function readHead(
  { hidden, weight, bias, lora }: Pick<LinearBatch, "hidden" | "weight" | "bias" | "lora">,
  width: number,
  prefix: string,
  list: TokenList,
  vocab: number,
  finite: boolean,
  transform: Transform | undefined,
): HeadData {
  checkCount(width, `${prefix}hiddenSize`);
  const head: HeadData = {
    width,
    hidden: readFloats(hidden, `${prefix}hidden`, list.positions * width),
    weight: readFloats(weight, `${prefix}weight`, vocab * width),
    bias: bias === undefined ? undefined : readFloats(bias, `${prefix}bias`, vocab),
    lora: lora === undefined ? undefined : readLora(lora, width, vocab),
    transform,
  };
  if (!finite) return head;
  checkFiniteRows(head.hidden, `${prefix}hidden`, list, width);
  for (const [name, floats] of Object.entries(headArrays(head, prefix))) {
    if (name !== `${prefix}hidden`) checkFinite(floats, name, 0, floats.data.length);
  }
  return head;
}

/** The fields of an adapter, read once. Throws    KindError, ParamError for names that are none */
export const readLoraFields = recordOf(
  { what: "lora", field: "a part of an adapter", prefix: "lora.", synonyms: lossSynonyms },
  ({ a, b, rank, scale }: Lora): Lora => ({ a, b, rank, scale }),
);

function readLora({ a, b, rank, scale }: Lora, width: number, vocab: number): HeadData["lora"] {
  checkCount(rank, "lora.rank");
  checkNumber(scale, "lora.scale");
  for (const [name, array] of Object.entries({ a, b })) {
    if (isFloat32(array)) continue;
    throw new KindError(`lora.${name}: expected a Float32Array, got ${kindOf(array)}`);
  }
  return { a: readFloats(a, "lora.a", rank * width), b: readFloats(b, "lora.b", vocab * rank), rank, scale };
}

/** The arrays of a head, by name. */
export function headArrays({ hidden, weight, bias, lora }: HeadData, prefix: string): Record<string, FloatData> {
  return {
    [`${prefix}hidden`]: hidden,
    [`${prefix}weight`]: weight,
    ...(bias && { [`${prefix}bias`]: bias }),
    ...(lora && { [`${prefix}lora.a`]: lora.a, [`${prefix}lora.b`]: lora.b }),
  };
}
