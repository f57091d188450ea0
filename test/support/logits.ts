// Batches of logits over tokens for the tests: made from a seed, in both layouts, and results of either put side by side.

import type { Ids, LogitsBatch, PackedTokens, Reference, Tokens } from "../../src/types.ts";
import { randomFrom } from "./pairs.ts";

/** Padded tokens in the plainest arrays. */
export type PlainTokens = Tokens & { inputIds: Int32Array; completionMask: Uint8Array };

/** Packed tokens in the plainest arrays. */
export type PlainPacked = PackedTokens & { offsets: Int32Array; targets: Int32Array; lengths: Int32Array };

/** Padded rows with the logits of policy and reference. */
export interface PaddedLogits {
  tokens: PlainTokens;
  vocab: number;
  logits: Float32Array;
  reference: { logits: Float32Array };
}

type Call = LogitsBatch & { reference?: Reference | undefined };

/** A batch in one of the layouts. */
interface LaidOut<T extends PlainTokens | PlainPacked = PlainTokens | PlainPacked> {
  batch: Call & {
    tokens: T;
    logits: Float32Array;
    reference: { logits: Float32Array };
  };
  /** Rows of `width` numbers as the padded layout has them; 0 where this layout has no row. */
  unpack(values: ArrayLike<number>, width: number): Float64Array;
}

/** The rows of logits that predict a token that counts, and what they predict. */
export function countingRows({ pairs, length, inputIds, completionMask }: Tokens) {
  const found: { sequence: number; row: number; id: number }[] = [];
  for (let sequence = 0; sequence < 2 * pairs; sequence++) {
    for (let t = 1; t < length; t++) {
      const at = sequence * length + t;
      if (Number(completionMask[at]) === 1) found.push({ sequence, row: at - 1, id: Number(inputIds[at]) });
    }
  }
  return found;
}

/** Rows `rows` of `width` numbers, one after another. */
function gatherRows(values: Float32Array, rows: readonly number[], width: number): Float32Array {
  const gathered = new Float32Array(rows.length * width);
  rows.forEach((row, k) => {
    gathered.set(values.subarray(row * width, (row + 1) * width), k * width);
  });
  return gathered;
}

/** Padded tokens as packed ones: counting rows alone, and the unshifted number of completion tokens of each sequence. */
export function packTokens(tokens: PlainTokens): PlainPacked {
  const counting = countingRows(tokens);
  const offsets = new Int32Array(2 * tokens.pairs + 1);
  for (const { sequence } of counting) offsets[sequence + 1] = (offsets[sequence + 1] as number) + 1;
  for (let r = 0; r < 2 * tokens.pairs; r++) offsets[r + 1] = (offsets[r + 1] as number) + (offsets[r] as number);
  const lengths = new Int32Array(2 * tokens.pairs);
  for (let at = 0; at < tokens.completionMask.length; at++) {
    const r = Math.floor(at / tokens.length);
    lengths[r] = (lengths[r] as number) + (tokens.completionMask[at] as number);
  }
  return { pairs: tokens.pairs, offsets, targets: Int32Array.from(counting, ({ id }) => id), lengths };
}

/** The layouts that every batch can be given in. */
export const layouts: {
  readonly padded: (batch: PaddedLogits) => LaidOut<PlainTokens>;
  readonly packed: (batch: PaddedLogits) => LaidOut<PlainPacked>;
} = {
  padded: (batch) => ({
    batch,
    unpack: (values) => Float64Array.from(values),
  }),
  packed: ({ tokens, vocab, logits, reference }) => {
    const rows = countingRows(tokens).map(({ row }) => row);
    const gather = (values: Float32Array): Float32Array => gatherRows(values, rows, vocab);
    return {
      batch: {
        tokens: packTokens(tokens),
        vocab,
        logits: gather(logits),
        reference: { logits: gather(reference.logits) },
      },
      unpack: (values, width) => {
        const padded = new Float64Array(2 * tokens.pairs * tokens.length * width);
        rows.forEach((row, k) => {
          for (let v = 0; v < width; v++) padded[row * width + v] = values[k * width + v] as number;
        });
        return padded;
      },
    };
  },
};

export const layoutNames = ["padded", "packed"] as const;

export interface Shape {
  pairs: number;
  length: number;
  vocab: number;
  seed: number;
  /** The standard deviation of the logits. Default 2.5. */
  spread?: number;
  /** The chance that a completion token does not count. Default 0. */
  holes?: number;
}

/** Numbers of the normal distribution. */
export function normalFrom(seed: number): () => number {
  const random = randomFrom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * A plausible batch: prompts and completions of any length, none included, padding, reference near the policy. In the first
 * pair tokens count on both sides.
 */
export function randomLogits({ pairs, length, vocab, seed, spread = 2.5, holes = 0 }: Shape): PaddedLogits {
  const random = randomFrom(seed);
  const normal = normalFrom(seed ^ 0x5bd1e995);
  const positions = 2 * pairs * length;
  const completionMask = new Uint8Array(positions);
  for (let r = 0; r < 2 * pairs; r++) {
    const isFirst = r % pairs === 0;
    const from = isFirst ? Math.min(1 + (r > 0 ? 1 : 0), length - 1) : Math.floor(random() * (length / 2 + 1));
    const to = isFirst ? length : from + Math.floor(random() * (length - from + 1));
    for (let t = from; t < to; t++) completionMask[r * length + t] = t > from && random() < holes ? 0 : 1;
  }
  const inputIds = Int32Array.from({ length: positions }, () => Math.floor(random() * vocab));
  const logits = Float32Array.from({ length: positions * vocab }, () => spread * normal());
  const near = logits.map((x) => x + 0.3 * normal());
  return { tokens: { pairs, length, inputIds, completionMask }, vocab, logits, reference: { logits: near } };
}

/** The same ids or bits as 64-bit integers. */
export const asBigInts = (values: Ids | Uint8Array): BigInt64Array =>
  BigInt64Array.from(Array.from(values as ArrayLike<number | bigint>, BigInt));

/** Ids from a list of rows. */
export const flatIds = (rows: readonly (readonly number[])[]): Int32Array => Int32Array.from(rows.flat());

/** Masks from a list of rows. */
export const flatMask = (rows: readonly (readonly number[])[]): Uint8Array => Uint8Array.from(rows.flat());
