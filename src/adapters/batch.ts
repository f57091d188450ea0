// What the adapters share: dimensions against tokens, and the options that an adapter leaves to nobody.

import { isList, mapList } from "../checks/lists.ts";
import { printable } from "../checks/printable.ts";
import { recordOf } from "../checks/record.ts";
import { lengthOf } from "../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../errors.ts";
import { readLossOptions } from "../inputs/options.ts";
import { readLogpsOptions } from "../inputs/sequence-logps.ts";
import { readSequenceTokens, readTokens } from "../inputs/tokens.ts";
import { kindOf } from "../messages.ts";
import type {
  LogitsLossOptions,
  PackedRows,
  PackedTokens,
  Reference,
  SequenceLogpsGradOptions,
  SequenceLogpsOptions,
  SequenceTokens,
  TokenRows,
  Tokens,
} from "../types.ts";

/** The options of `logitsLoss`, less those that say where the gradient goes: an adapter knows that. */
export type AdapterOptions = Omit<LogitsLossOptions, "inPlace" | "gradType" | "out">;

/** The options of an adapter, read once; `more` are its own. Throws    ParamError for what `AdapterOptions` leaves out; KindError */
export function readAdapterOptions(given: unknown, more?: readonly string[]): AdapterOptions {
  const { inPlace, gradType = "same", out, ...options } = readLossOptions(given, more);
  if (!inPlace && gradType === "same" && out === undefined) return options;
  throw new ParamError("unused-option", "inPlace, gradType, out: the adapter itself says where the gradient goes");
}

const readFields = recordOf<AdapterBatch>({ what: "batch", field: "a part of the batch" }, ["tokens", "reference"]);

/** What an adapter is given beside the logits. */
export interface AdapterBatch {
  tokens: Tokens | PackedTokens;
  reference?: Reference | undefined;
}

/** The batch of an adapter, read once. Throws    KindError, ParamError for names that are none */
export function readAdapterBatch(given: unknown): AdapterBatch {
  const batch = readFields(given);
  batch.tokens = readTokens(batch.tokens);
  return batch;
}

/** A call of a backend. Throws    KindError for what is no backend */
export function callOf<B extends object, C extends keyof B & string>(backend: B, name: C): B[C] {
  let cause: unknown;
  try {
    const call = backend[name];
    if (typeof call === "function") return ((...args: unknown[]) => call.apply(backend, args)) as B[C];
  } catch (thrown) {
    cause = thrown;
  }
  throw new KindError(`backend: expected a backend with ${name}, got ${kindOf(backend)}`, { cause });
}

/** What an adapter of the log-probs is given beside the logits. */
export interface SequencesAdapterBatch {
  tokens: SequenceTokens;
}

const readSequenceFields = recordOf<SequencesAdapterBatch>({ what: "batch", field: "a part of the batch" }, ["tokens"]);

/** Its batch, read once. Throws    KindError, ParamError for names that are none */
export const readSequencesAdapterBatch = (given: unknown): SequencesAdapterBatch => ({
  tokens: readSequenceTokens(readSequenceFields(given as SequencesAdapterBatch).tokens),
});

/** The options of `sequenceLogps`, less the buffers, which are the adapter's. */
export type LogpsAdapterOptions = Omit<SequenceLogpsOptions, "out">;

/** They, read once, and those of them that the way back takes too. Throws    ParamError for buffers; KindError */
export function readLogpsAdapterOptions(given: unknown): {
  forward: LogpsAdapterOptions;
  backward: SequenceLogpsGradOptions;
} {
  const { out, ...forward } = readLogpsOptions(given as SequenceLogpsOptions);
  if (out !== undefined) throw new ParamError("unused-option", "out: the adapter itself makes the arrays");
  const { ldAlpha, logitScale, logitSoftcap, temperature, signal } = forward;
  return { forward, backward: { ldAlpha, logitScale, logitSoftcap, temperature, signal } };
}

/** What a tensor says that it holds, for messages. */
export const typeText = (type: unknown): string => (typeof type === "string" ? printable(type) : kindOf(type));

/** The dimensions of a tensor, read once. Throws    KindError */
export function readDims(given: unknown, name: string): number[] {
  if (!isList(given))
    throw new KindError(`${name}: expected a tensor with its dimensions in a list, got ${kindOf(given)}`);
  return mapList(given, name, (size, i) => {
    if (typeof size === "number") return size;
    throw new KindError(`${name}: expected numbers for dimensions, got ${kindOf(size)} (dimension ${i})`);
  });
}

// What is no number fits no dimensions.
const paddedDims = (tokens: Tokens | TokenRows): string[] => {
  const { rows, pairs, length, logitsFrom } = tokens as Partial<Tokens & TokenRows>;
  const count = (value: unknown): number => (typeof value === "number" ? value : 0);
  const [height, width] = [rows === undefined ? 2 * count(pairs) : count(rows), count(length) - count(logitsFrom)];
  return ["padded", `${height}, ${width}`, `${height * width}`];
};

const packedDims = ({ targets }: PackedTokens | PackedRows): string[] => {
  const count = ArrayBuffer.isView(targets) ? lengthOf(targets) : undefined;
  return ["packed", `${count}`, `1, ${count}`];
};

/**
 * The vocabulary of logits with these dimensions: the last one, if the others are those of the tokens.
 *
 * Shapes    padded tokens: [2B, T, V] or [2B·T, V], of rows [rows, T, V] or [rows·T, V], T less by `logitsFrom`; packed tokens:
 *           [N, V] or [1, N, V]
 * Throws    ShapeError, KindError
 */
export function vocabOf(given: unknown, tokens: SequenceTokens): number {
  const dims = readDims(given, "logits");
  const read = readSequenceTokens(tokens);
  const [kind, ...fits] = "targets" in read ? packedDims(read) : paddedDims(read);
  const vocab = dims.at(-1);
  if (vocab !== undefined && fits.includes(dims.slice(0, -1).join(", "))) return vocab;
  const expected = fits.map((rows) => `[${rows}, V]`).join(" or ");
  throw new ShapeError(
    "wrong-length",
    `logits: expected ${expected} (${kind} tokens), got [${dims.slice(0, 8).join(", ")}]`,
  );
}

/** The shape of a result for each token, of logits with these dimensions: in the layout of the tokens, from the first position on. */
export function tokenDims(logits: readonly number[], size: number): number[] {
  const dims = logits.slice(0, -1);
  const others = dims.slice(0, -1);
  return [...others, size / others.reduce((product, n) => product * n, 1)];
}
