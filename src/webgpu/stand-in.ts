// A batch whose buffers on the GPU stand among its arrays, for the checks of every backend.

import { KindError, ParamError } from "../errors.ts";
import { kindOf } from "../plan.ts";
import { listTokens, type TokenList } from "../tokens.ts";
import type { Floats, LogitsBatch, PackedTokens, Reference, Tokens } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { asFloats, fetchArrays, isGpuArray, rangeOf } from "./given.ts";
import type { GpuIds } from "./resident-logits.ts";
import type { GpuArray, GpuLogitsBatch, GpuReference, GpuTokens } from "./types.ts";

const asInt32 = (bytes: ArrayBuffer): Int32Array => new Int32Array(bytes);

export type LossBatch = GpuLogitsBatch & { reference?: GpuReference | undefined };

const idName = (tokens: GpuTokens): "targets" | "inputIds" =>
  "offsets" in tokens && tokens.offsets !== undefined ? "targets" : "inputIds";

/** The batch with its ids read back. */
export async function withIds<B extends GpuLogitsBatch>(gpu: Gpu, given: B): Promise<B> {
  const { tokens } = given ?? ({} as Partial<B>);
  if (!tokens || typeof tokens !== "object") return given;
  return { ...given, tokens: await fetchArrays(gpu, tokens, [idName(tokens)], asInt32) };
}

/** A batch whose buffers stand among its arrays: ids as zeros, until the GPU looks at them. */
export function standIn(given: LossBatch, options: { validate?: unknown }, force: boolean) {
  if (!given || typeof given !== "object") throw new KindError(`batch: expected an object, got ${kindOf(given)}`);
  const { tokens: givenTokens, vocab, logits, reference } = given;
  // Without a buffer the call is that of every backend, its refusals too.
  if (!force && !hasGpuArray(given)) return { batch: given as LogitsBatch, list: undefined, ids: undefined };
  const ids = givenTokens && typeof givenTokens === "object" ? readIds(givenTokens) : undefined;
  const tokens = (ids?.tokens ?? givenTokens) as Tokens | PackedTokens;
  const list = listTokens(tokens, vocab);
  const length = list.positions * vocab;
  const floats = (value: Floats | GpuArray, name: string): Floats => {
    if (!isGpuArray(value)) return value;
    if (options.validate !== "finite") return asFloats(value, name, length);
    throw new ParamError("unused-option", `validate: "finite" looks at numbers that lie here; ${name} are on the GPU`);
  };
  const others = reference && typeof reference === "object" && "logits" in reference;
  const batch: LogitsBatch & { reference?: Reference | undefined } = {
    ...given,
    tokens,
    logits: floats(logits, "logits"),
    reference: (others
      ? { ...reference, logits: floats(reference.logits, "reference.logits") }
      : reference) as Reference,
  };
  if (reference === undefined) delete batch.reference;
  return { batch, list, ids };
}

const hasGpuArray = ({ tokens, logits, reference }: LossBatch): boolean =>
  [logits, ...Object.values(tokens ?? {}), ...Object.values(reference ?? {})].some(isGpuArray);

function readIds(tokens: GpuTokens): (GpuIds & { tokens: Tokens | PackedTokens }) | undefined {
  const name = idName(tokens);
  const ids = (tokens as unknown as Record<string, unknown>)[name];
  if (!isGpuArray(ids)) return undefined;
  const packed = name === "targets";
  const { pairs, length, offsets } = tokens as unknown as Tokens & PackedTokens;
  const count = packed ? Number(offsets[2 * pairs]) : 2 * pairs * length;
  const range = rangeOf(ids, `tokens.${name}`, "COPY_SRC", 4 * count);
  // In padded rows position t predicts token t + 1.
  const places = ({ rows }: TokenList): Uint32Array => Uint32Array.from(rows, (row, k) => (packed ? k : row + 1));
  return { range, places, tokens: { ...tokens, [name]: new Int32Array(count) } as unknown as Tokens | PackedTokens };
}
