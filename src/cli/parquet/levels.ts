// The levels of a page: for every value how many of the steps to it are there, and at which of the lists around it it goes on.

import { readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import type { PageHeader } from "hyparquet/src/types.js";
import { type Bytes, unpack } from "./codecs.ts";
import { type Chunk, type Leaf, toCount } from "./footer.ts";
import { checkRuns } from "./runs.ts";

/** A page, taken apart. */
export interface Layout {
  /** Missing where the leaf has none: every value is there, and is its row's. */
  readonly definitions: Uint8Array | undefined;
  readonly repetitions: Uint8Array | undefined;
  /** How many values are there. */
  readonly present: number;
  /** Their bytes, in a buffer of their own. */
  readonly values: Bytes;
}

/** Takes a page of `count` values apart. Throws where its parts are not as long as they say, or levels are impossible. */
export function layOut(
  packed: Bytes,
  whole: number,
  codec: Chunk["codec"],
  header: PageHeader,
  count: number,
  leaf: Leaf,
): Layout {
  const { repeated, defined, values } =
    header.type === "DATA_PAGE"
      ? splitPage(unpack(packed, whole, codec), header, leaf)
      : splitPageV2(packed, whole, codec, header, leaf);
  const repetitions = repeated && levelsOf(repeated, leaf.repetitions, count);
  const definitions = defined && levelsOf(defined, leaf.definitions, count);
  let present = count;
  for (const level of definitions ?? []) if (level !== leaf.definitions) present--;
  if (header.type === "DATA_PAGE_V2") {
    const { num_nulls: nulls, num_rows: rows } = header.data_page_header_v2 ?? {};
    if (nulls !== count - present) throw new Error("another number of nulls than promised");
    const begun = repetitions ? repetitions.reduce((sum, level) => sum + (level === 0 ? 1 : 0), 0) : count;
    if (rows !== begun) throw new Error("another number of rows than promised");
  }
  return { repetitions, definitions, present, values };
}

interface Parts {
  readonly repeated: Uint8Array | undefined;
  readonly defined: Uint8Array | undefined;
  readonly values: Bytes;
}

/** All of it is compressed, and levels say how long they are. */
function splitPage(page: Bytes, { data_page_header: claims }: PageHeader, leaf: Leaf): Parts {
  let at = 0;
  const part = (most: number, encoding: string | undefined): Uint8Array | undefined => {
    if (most === 0) return undefined;
    if (encoding !== "RLE") throw new Error(`levels in ${encoding ?? "an unknown encoding"}`);
    if (page.length - at < 4) throw new Error("a page ends too early");
    const start = at + 4;
    at = start + new DataView(page.buffer, at).getUint32(0, true);
    if (at > page.length) throw new Error("a page ends too early");
    return page.subarray(start, at);
  };
  const repeated = part(leaf.repetitions, claims?.repetition_level_encoding);
  const defined = part(leaf.definitions, claims?.definition_level_encoding);
  return { repeated, defined, values: page.slice(at) };
}

/** Levels stand before what is compressed. */
function splitPageV2(
  packed: Bytes,
  whole: number,
  codec: Chunk["codec"],
  { data_page_header_v2: claims }: PageHeader,
  leaf: Leaf,
): Parts {
  const defined = toCount(claims?.definition_levels_byte_length, "the size of the levels");
  const repeated = toCount(claims?.repetition_levels_byte_length, "the size of the levels");
  const isRight = (size: number, most: number): void => {
    if (size > 0 !== most > 0) throw new Error(most > 0 ? "levels are missing" : "levels in a column without nulls");
  };
  isRight(repeated, leaf.repetitions);
  isRight(defined, leaf.definitions);
  const levels = repeated + defined;
  if (levels > packed.length || levels > whole) throw new Error("a page ends too early");
  const rest = packed.subarray(levels);
  // An empty rest is not packed, whatever the header says.
  const isPacked = claims?.is_compressed !== false && rest.length > 0;
  const values = isPacked ? unpack(rest, whole - levels, codec) : rest.slice();
  if (values.length !== whole - levels) throw new Error("a page is not as long as it says");
  return {
    repeated: repeated > 0 ? packed.subarray(0, repeated) : undefined,
    defined: defined > 0 ? packed.subarray(repeated, levels) : undefined,
    values,
  };
}

/** Numbers from 0 to `most`, run-length encoded or packed into as few bits as they need. */
function levelsOf(bytes: Uint8Array, most: number, count: number): Uint8Array {
  const width = 32 - Math.clz32(most);
  checkRuns(bytes, width, count);
  const levels = new Uint8Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  readRleBitPackedHybrid({ view, offset: 0 }, width, levels, bytes.length);
  if (levels.some((level) => level > most)) throw new Error("a level is beyond the deepest");
  return levels;
}
