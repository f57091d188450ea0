// A batch whose buffers on the GPU stand among its arrays, for the checks of every backend.

import { KindError, ParamError } from "../../errors.ts";
import { lengthOf } from "../../inputs/floats.ts";
import { listTokens, type TokenList } from "../../inputs/tokens.ts";
import { kindOf } from "../../plan/plan.ts";
import type { Floats, PackedTokens, Tokens } from "../../types.ts";
import type { Range } from "./commands.ts";
import { asFloats, fetchArrays, isGpuArray, plainRangeOf } from "./device-arrays.ts";
import { bytesOf } from "./floats.wgsl.ts";
import type { GpuIds } from "./sequences.ts";
import type { Gpu } from "./submit.ts";
import type { GpuTokens } from "./types.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** What of a batch lies on the GPU: the rest is arrays. */
export interface StoodIn<B> {
  readonly batch: B;
  /** How many numbers each array of floats holds, by name. */
  readonly lengths: Readonly<Record<string, number>>;
  readonly ids: GpuIds | undefined;
  /** The reference's log-probs, float32. */
  readonly logps: Range | undefined;
}

const isObject = (value: unknown): value is Fields => typeof value === "object" && value !== null;
export const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : {});
export const hasGpuArray = (value: unknown): boolean => Object.values(fieldsOf(value)).some(isGpuArray);

const idName = (tokens: object): "targets" | "inputIds" =>
  fieldsOf(tokens)["offsets"] === undefined ? "inputIds" : "targets";

/** Whether anything of a batch lies on the GPU. */
export const isOnGpu = (given: unknown): boolean => {
  const { tokens, lora, reference } = fieldsOf(given);
  return [given, tokens, lora, reference].some(hasGpuArray);
};

const asInt32 = (bytes: ArrayBuffer): Int32Array => new Int32Array(bytes);
const asFloat32 = (bytes: ArrayBuffer): Float32Array => new Float32Array(bytes);

/**
 * The batch with its small arrays read back: masks and offsets, which decide what is dispatched; and `all` of them, ids and the
 * reference's log-probs too, where results are.
 */
export async function fetchSmall<B>(gpu: Gpu, given: B, all: boolean): Promise<B> {
  const { tokens, reference } = fieldsOf(given);
  const fetched: Record<string, unknown> = {};
  if (isObject(tokens)) {
    const names = Object.keys(tokens).filter((name) => all || name !== idName(tokens));
    fetched["tokens"] = await fetchArrays(gpu, tokens, names, asInt32);
  }
  if (all && isObject(reference)) fetched["reference"] = await fetchArrays(gpu, reference, ["logps"], asFloat32);
  return Object.keys(fetched).length > 0 ? { ...given, ...fetched } : given;
}

/**
 * The batch whose buffers stand among its arrays: ids as zeros, until the GPU looks at them.
 *
 * Throws    what every backend's checks of tokens throw; KindError, ShapeError, ParamError for the buffers
 */
export function standIn<B>(given: object, options: Fields): StoodIn<B> {
  if (!isObject(given)) throw new KindError(`batch: expected an object, got ${kindOf(given)}`);
  const {
    tokens: givenTokens,
    vocab,
    lora,
    reference,
  } = given as unknown as { tokens: GpuTokens; vocab: number } & Fields;
  const ids = isObject(givenTokens) ? readIds(givenTokens as GpuTokens) : undefined;
  const tokens = (ids?.tokens ?? givenTokens) as Tokens | PackedTokens;
  const list = listTokens(tokens, vocab);
  const lengths = lengthsOf(given, list, vocab);
  const stand = (part: unknown, prefix: string): unknown => {
    if (!hasGpuArray(part)) return part;
    const entries = Object.entries(part as Fields).map(([name, value]) => {
      const length = lengths[prefix + name];
      if (length === undefined || !isGpuArray(value)) return [name, value];
      if (options["validate"] !== "finite") return [name, asFloats(value, prefix + name, length)];
      const where = `looks at numbers that lie here; ${prefix}${name} are on the GPU`;
      throw new ParamError("unused-option", `validate: "finite" ${where}`);
    });
    return Object.fromEntries(entries);
  };
  const { logps } = fieldsOf(reference);
  const there = isGpuArray(logps) ? plainRangeOf(logps, "reference.logps", "COPY_SRC", 8 * list.pairs) : undefined;
  const batch = {
    ...(stand(given, "") as object),
    tokens,
    ...(lora !== undefined && { lora: stand(lora, "lora.") }),
    ...(reference !== undefined && {
      reference: there ? { logps: new Float32Array(2 * list.pairs) } : stand(reference, "reference."),
    }),
  };
  return { batch: batch as B, lengths, ids, logps: there && { ...there, size: 8 * list.pairs } };
}

function lengthsOf(given: Fields, { positions }: TokenList, vocab: number): Record<string, number> {
  const width = given["hiddenSize"] as number;
  const { rank } = fieldsOf(given["lora"]) as { rank: number };
  const { hiddenSize, weight } = fieldsOf(given["reference"]) as { hiddenSize?: number; weight?: Floats };
  const other = hiddenSize ?? width ?? countOf(weight) / vocab;
  return {
    logits: positions * vocab,
    hidden: positions * width,
    weight: vocab * width,
    bias: vocab,
    "lora.a": rank * width,
    "lora.b": vocab * rank,
    "reference.logits": positions * vocab,
    "reference.hidden": positions * other,
    "reference.weight": vocab * other,
    "reference.bias": vocab,
  };
}

// Of a buffer as many as there is room for.
function countOf(value: unknown): number {
  if (!isGpuArray(value)) return lengthOf(value as Floats) ?? 0;
  const { buffer, offset = 0, size = Number(buffer?.size) - Number(offset), type = "f32" } = value;
  return Math.floor(size / bytesOf(type));
}

function readIds(tokens: GpuTokens): (GpuIds & { tokens: Tokens | PackedTokens }) | undefined {
  const name = idName(tokens);
  const ids = fieldsOf(tokens)[name];
  if (!isGpuArray(ids)) return undefined;
  const packed = name === "targets";
  const { offsets, ...sizes } = tokens as unknown as Tokens & PackedTokens;
  const [pairs, length] = [Number(sizes.pairs), Number(sizes.length)];
  // What is no number of them is refused with the rest of the tokens.
  const count = Math.max(0, packed ? Number(fieldsOf(offsets)[2 * pairs]) : 2 * pairs * length) || 0;
  const range = { ...plainRangeOf(ids, `tokens.${name}`, "COPY_SRC", 4 * count), size: 4 * count };
  // In padded rows position t predicts token t + 1.
  const places = ({ rows }: TokenList): Uint32Array => Uint32Array.from(rows, (row, k) => (packed ? k : row + 1));
  return { range, places, tokens: { ...tokens, [name]: new Int32Array(count) } as unknown as Tokens | PackedTokens };
}
