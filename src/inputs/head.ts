// A head and the hidden states before it, checked: the policy's and a reference's.

import { checkCount, checkNumber } from "../checks/numbers.ts";
import { wrongKind } from "../checks/refusals.ts";
import { lengthOf } from "../checks/views.ts";
import type { Lora } from "../types.ts";
import { type AnyFloats, type ArrayReader, type FloatData, memoryOf } from "./floats.ts";
import { checkFinite, checkFiniteRows } from "./token-results.ts";
import type { TokenList } from "./tokens.ts";
import type { Transform } from "./transform.ts";

/** A checked head and the hidden states before it. */
export interface HeadData<F extends AnyFloats = FloatData> {
  readonly width: number;
  readonly hidden: F;
  readonly weight: F;
  readonly bias: F | undefined;
  readonly lora: { readonly a: F; readonly b: F; readonly rank: number; readonly scale: number } | undefined;
  /** What becomes of the logits. */
  readonly transform?: Transform | undefined;
}

/** Hidden states and a head as a caller gives them. */
export interface AnyHead {
  readonly hidden: unknown;
  readonly weight: unknown;
  readonly bias?: unknown;
  readonly lora?: AnyLora | undefined;
}

interface AnyLora extends Pick<Lora, "rank" | "scale"> {
  readonly a: unknown;
  readonly b: unknown;
}

/** Checks hidden states and their head, named with `prefix`. */
export function readHead<F extends AnyFloats>(
  reader: ArrayReader<F>,
  { hidden, weight, bias, lora }: AnyHead,
  width: number,
  prefix: string,
  list: TokenList,
  vocab: number,
  finite: boolean,
  transform: Transform | undefined,
): HeadData<F> {
  checkCount(width, `${prefix}hiddenSize`);
  const head: HeadData<F> = {
    width,
    hidden: reader.floats(hidden, `${prefix}hidden`, list.positions * width),
    weight: reader.floats(weight, `${prefix}weight`, vocab * width),
    bias: bias === undefined ? undefined : reader.floats(bias, `${prefix}bias`, vocab),
    lora: lora === undefined ? undefined : readLora(reader, lora, width, vocab),
    transform,
  };
  if (!finite) return head;
  checkFiniteRows(head.hidden, `${prefix}hidden`, list, width);
  for (const [name, floats] of Object.entries(headArrays(head, prefix))) {
    if (name !== `${prefix}hidden`) checkFinite(floats, name, 0, lengthOf(memoryOf(floats)));
  }
  return head;
}

function readLora<F extends AnyFloats>(
  reader: ArrayReader<F>,
  { a, b, rank, scale }: AnyLora,
  width: number,
  vocab: number,
): HeadData<F>["lora"] {
  checkCount(rank, "lora.rank");
  checkNumber(scale, "lora.scale");
  for (const [name, array] of Object.entries({ a, b })) {
    if (reader.isFloat32(array)) continue;
    throw wrongKind(`lora.${name}`, "a Float32Array", array);
  }
  return {
    a: reader.floats(a, "lora.a", rank * width),
    b: reader.floats(b, "lora.b", vocab * rank),
    rank,
    scale,
  };
}

/** The arrays of a head, by name. */
export function headArrays<F extends AnyFloats>(
  { hidden, weight, bias, lora }: HeadData<F>,
  prefix: string,
): Record<string, F> {
  return {
    [`${prefix}hidden`]: hidden,
    [`${prefix}weight`]: weight,
    ...(bias && { [`${prefix}bias`]: bias }),
    ...(lora && { [`${prefix}lora.a`]: lora.a, [`${prefix}lora.b`]: lora.b }),
  };
}
