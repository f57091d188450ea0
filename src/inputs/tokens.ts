// Which rows of the logits count, and which token each of them predicts: padded and packed batches become one list.

import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { checkCount } from "../checks/numbers.ts";
import { recordOf } from "../checks/record.ts";
import { outOfRange, unreadable, unusedOption, wrongKind, wrongLength } from "../checks/refusals.ts";
import { bufferOf, lengthOf, refuseStray } from "../checks/views.ts";
import { ParamError } from "../errors.ts";
import { arrayKind, isRecord } from "../messages.ts";
import type { FloatArray, Ids, Mask, PackedTokens, SequenceTokens, Tokens } from "../types.ts";
import type { AnyFloats, ArrayReader } from "./floats.ts";

/** The tokens that count, sequence by sequence; of pairs the B chosen first. S sequences, 2B where they are pairs. */
export interface TokenList {
  /** B; 0 where the sequences are not pairs. */
  readonly pairs: number;
  /** [S+1] sequence r owns the tokens start[r] .. start[r+1]−1 of this list. */
  readonly start: Int32Array;
  /** The row of the logits that predicts each token. */
  readonly rows: Int32Array;
  /** The id that it predicts. */
  readonly targets: Int32Array;
  /** [S] what length-normalised losses divide by: the completion's tokens, also the one that nothing predicts. */
  readonly lengths: Float64Array;
  /** Rows of the logits, counting or not: S·(T−logitsFrom), or the number of packed tokens. */
  readonly positions: number;
  /** Where the results of each token stand, in the layout of the tokens: its row, unless logits begin later than tokens do. */
  readonly places: Int32Array;
  /** Places in that layout: S·T, or the number of packed tokens. */
  readonly size: number;
}

const idKinds = ["Int32Array", "BigInt64Array"];
const maskKinds = ["Uint8Array", ...idKinds];

// attentionMask is the model's: `collate` gives it with the rest of a padded batch.
// The offsets say which layout it is, so they are read before the rest.
const unread = new Int32Array(0);

const readPadded = recordOf(
  { what: "tokens", field: "a part of padded tokens", synonyms: lossSynonyms },
  (given: Tokens & { attentionMask?: unknown; offsets?: undefined }) => {
    const { pairs, length, inputIds, completionMask, logitsFrom, attentionMask } = given;
    return { pairs, length, inputIds, completionMask, logitsFrom, attentionMask, offsets: undefined };
  },
);

const readPacked = recordOf(
  { what: "tokens", field: "a part of packed tokens", synonyms: lossSynonyms },
  ({ pairs, targets, lengths }: PackedTokens): PackedTokens => ({ pairs, offsets: unread, targets, lengths }),
);

/** A batch of tokens, read once. Throws    KindError; ParamError for names that are none of its layout */
export function readTokens(tokens: unknown): Tokens | PackedTokens {
  const offsets = offsetsOf(tokens);
  return offsets === undefined ? readPadded(tokens) : { ...readPacked(tokens), offsets };
}

const rowsToo = (): readonly string[] => ["rows"];

/** The same of any sequences, pairs or not. */
export function readSequenceTokens(tokens: unknown): SequenceTokens {
  const offsets = offsetsOf(tokens);
  if (offsets === undefined) return readPadded(tokens, rowsToo) as SequenceTokens;
  return { ...readPacked(tokens, rowsToo), offsets };
}

function offsetsOf(tokens: unknown): Ids | undefined {
  try {
    return isRecord(tokens) ? (tokens as Partial<PackedTokens>).offsets : undefined;
  } catch (cause) {
    throw unreadable("tokens", cause);
  }
}

/**
 * Checks a batch of tokens, once it is read, and lists those that count. In padded rows position t predicts token t+1, so the first token of
 * a row is never predicted; what stands under mask 0 is not looked at. Logits may begin at a later position, `logitsFrom`.
 *
 * Throws    KindError, ShapeError; ParamError ("bad-id") with row and position for an id or an offset out of range
 */
export function listTokens(reader: IdReader, tokens: AnyTokens, vocab: number): TokenList {
  checkCount(vocab, "vocab");
  const { pairs, rows } = tokens as { pairs?: number; rows?: number };
  if (rows !== undefined && pairs !== undefined) {
    throw unusedOption("tokens", "expected pairs or rows, got both");
  }
  const count = rows ?? pairs;
  checkCount(count, rows === undefined ? "tokens.pairs" : "tokens.rows");
  const size = { pairs: pairs ?? 0, sequences: rows ?? 2 * count };
  return isPacked(tokens) ? listPacked(reader, tokens, size, vocab) : listPadded(reader, tokens, size, vocab);
}

/** How many sequences there are; as pairs, or 0 of these. */
interface Size {
  readonly pairs: number;
  readonly sequences: number;
}

/** Says of ids whether they lie on a device: what they are is not known here then. */
export type IdReader = Pick<ArrayReader<AnyFloats>, "hasIds">;

interface Counted {
  pairs?: number;
  rows?: number;
}
type AnyPadded = Counted & Pick<Tokens, "length" | "logitsFrom"> & { inputIds: unknown; completionMask: unknown };
type AnyPacked = Counted & {
  targets: unknown;
  offsets: unknown;
  lengths?: unknown;
};

/** Tokens as a caller gives them. */
export type AnyTokens = AnyPadded | AnyPacked;

const isPacked = (tokens: AnyTokens): tokens is AnyPacked => "offsets" in tokens && tokens.offsets !== undefined;

function checkArray<A extends Ids | Mask>(
  value: unknown,
  name: string,
  kinds: readonly string[],
  length: number,
): asserts value is A {
  if (!kinds.includes(arrayKind(value))) {
    throw wrongKind(name, kinds.join(" or "), value);
  }
  const array = value as A;
  if (lengthOf(array) !== length) {
    throw wrongLength(name, `${length} values`, lengthOf(array));
  }
  refuseStray(array, name, bufferOf(array));
}

function listPadded(
  reader: IdReader,
  { length, inputIds, completionMask, logitsFrom = 0 }: AnyPadded,
  { pairs, sequences }: Size,
  vocab: number,
): TokenList {
  checkCount(length, "tokens.length");
  const size = sequences * length;
  checkCount(size, pairs > 0 ? "2·pairs·length" : "rows·length");
  checkLogitsFrom(logitsFrom, length);
  checkMask(completionMask, "tokens.completionMask", size);
  return listMasked(reader, { length, inputIds, logitsFrom }, completionMask, { pairs, size }, vocab);
}

/** A mask over all positions, or an error that names it. */
export function checkMask(mask: unknown, name: string, size: number): asserts mask is Mask {
  checkArray<Mask>(mask, name, maskKinds, size);
}

/** The tokens of padded rows that a mask says count; ids are checked at these alone. */
export function listMasked(
  reader: IdReader,
  { length, inputIds, logitsFrom = 0 }: Omit<AnyPadded, "completionMask">,
  completionMask: Mask,
  { pairs, size }: Pick<TokenList, "pairs" | "size">,
  vocab: number,
): TokenList {
  const sequences = size / length;
  const ids = readIds(reader, inputIds, "tokens.inputIds", size);
  const start = new Int32Array(sequences + 1);
  const lengths = new Float64Array(sequences);
  let count = 0;
  for (let r = 0; r < sequences; r++) {
    for (let t = 0; t < length; t++) {
      const bit = Number(completionMask[r * length + t]);
      if (bit === 0) continue;
      if (bit !== 1) {
        throw outOfRange(`tokens.completionMask[${r * length + t}]`, "0 or 1", `${bit} (row ${r}, position ${t})`);
      }
      lengths[r] = (lengths[r] as number) + 1;
      if (t === 0) continue;
      if (t <= logitsFrom) {
        throw outOfRange(
          "tokens.logitsFrom",
          `at most ${t - 1}`,
          `${logitsFrom}: logits from there on do not predict a token that counts (row ${r}, position ${t})`,
        );
      }
      count++;
    }
    start[r + 1] = count;
  }
  const places = new Int32Array(count);
  const targets = new Int32Array(count);
  let k = 0;
  for (let r = 0; r < sequences; r++) {
    for (let t = 1; t < length; t++) {
      const at = r * length + t;
      if (Number(completionMask[at]) === 0) continue;
      places[k] = at - 1;
      const id = ids ? Number(ids[at]) : 0;
      if (!(id >= 0 && id < vocab)) throw badId("tokens.inputIds", at, ids?.[at], vocab, `row ${r}, position ${t}`);
      targets[k++] = id;
    }
  }
  const rows = logitsFrom === 0 ? places : rowsFrom(places, length, logitsFrom);
  return { pairs, start, rows, targets, lengths, positions: size - sequences * logitsFrom, places, size };
}

function listPacked(
  reader: IdReader,
  { offsets, targets: given, lengths }: AnyPacked,
  { pairs, sequences }: Size,
  vocab: number,
): TokenList {
  checkArray<Ids>(offsets, "tokens.offsets", idKinds, sequences + 1);
  const start = Int32Array.from({ length: sequences + 1 }, (_, r) => Number(offsets[r]));
  for (let r = 0; r <= sequences; r++) {
    const [least, got] = [r === 0 ? 0 : (start[r - 1] as number), offsets[r]];
    if (Number(got) >= least && Number(got) === start[r] && !(r === 0 && Number(got) !== 0)) continue;
    const expected = r === 0 ? "0" : `at least ${least}`;
    throw new ParamError("bad-id", `tokens.offsets[${r}]: expected ${expected}, got ${got}`);
  }
  const count = start[sequences] as number;
  const ids = readIds(reader, given, "tokens.targets", count);
  const rows = new Int32Array(count);
  const targets = new Int32Array(count);
  for (let r = 0; r < sequences; r++) {
    for (let k = start[r] as number; k < (start[r + 1] as number); k++) {
      rows[k] = k;
      const id = ids ? Number(ids[k]) : 0;
      if (!(id >= 0 && id < vocab)) throw badId("tokens.targets", k, ids?.[k], vocab, `row ${r}`);
      targets[k] = id;
    }
  }
  return {
    pairs,
    start,
    rows,
    targets,
    lengths: packedLengths(lengths, start),
    positions: count,
    places: rows,
    size: count,
  };
}

function checkLogitsFrom(value: unknown, length: number): asserts value is number {
  if (typeof value !== "number") throw wrongKind("tokens.logitsFrom", "a number", value);
  if (Number.isSafeInteger(value) && value >= 0 && value < length) return;
  throw outOfRange("tokens.logitsFrom", `an integer in 0..${length - 1} (tokens.length - 1)`, value);
}

// Each sequence has so many rows less.
const rowsFrom = (places: Int32Array, length: number, logitsFrom: number): Int32Array =>
  places.map((place) => place - logitsFrom * (Math.floor(place / length) + 1));

// Ids to read; undefined where they lie on a device.
function readIds(reader: IdReader, ids: unknown, name: string, length: number): Ids | undefined {
  if (reader.hasIds(ids, name, length)) return undefined;
  checkArray<Ids>(ids, name, idKinds, length);
  return ids;
}

function packedLengths(lengths: unknown, start: Int32Array): Float64Array {
  const sequences = start.length - 1;
  if (lengths !== undefined) checkArray<Ids>(lengths, "tokens.lengths", idKinds, sequences);
  return Float64Array.from({ length: sequences }, (_, r) => {
    const own = (start[r + 1] as number) - (start[r] as number);
    const given = lengths === undefined ? own : Number(lengths[r]);
    if (given >= own) return given;
    throw outOfRange(`tokens.lengths[${r}]`, `at least the row's ${own}`, given);
  });
}

/** An id that the vocabulary has not; `where` it stands, if its name does not say it. */
export const badId = (name: string, at: number, id: unknown, vocab: number, where = ""): ParamError =>
  new ParamError("bad-id", `${name}[${at}]: expected an id in 0..${vocab - 1}, got ${id}${where && ` (${where})`}`);

/** Zeros for those of the rows first .. end−1, of `width` elements, that are not among `rows`. */
export function clearGaps(
  rows: Int32Array,
  first: number,
  end: number,
  data: FloatArray | Uint16Array<ArrayBufferLike>,
  width: number,
): void {
  let next = first;
  for (let k = 0; k <= rows.length; k++) {
    const row = k < rows.length ? (rows[k] as number) : end;
    if (row > next) data.fill(0, next * width, row * width);
    next = row + 1;
  }
}
