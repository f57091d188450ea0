// The values of a leaf's part in a row group, page by page. A page is decoded by hyparquet, after what it claims has been checked
// against its bytes and against the values that are promised.

import { parquetHeader } from "hyparquet/src/column.js";
import { convert, convertWithDictionary, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { readDataPage } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import type { ColumnDecoder, DecodedArray, Encoding, PageHeader, ParquetType } from "hyparquet/src/types.js";
import { type Bytes, checkCrc, unpack } from "./codecs.ts";
import { type Chunk, type ReadBytes, toCount } from "./footer.ts";
import { layOut } from "./levels.ts";
import { checkDelta, checkDeltaTexts, checkRuns } from "./runs.ts";
import { endOfStruct } from "./thrift.ts";

/** Pages are a megabyte or so; some writers make one of a whole row group. */
const largestPage = 2 ** 28;

/** What is read at once of a part of the file. */
const windowSize = 2 ** 18;

const widths: Readonly<Partial<Record<ParquetType, number>>> = { INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8 };

/** A page's values, and the levels that say where they stand; without levels all are there, one a row. */
export interface Page {
  readonly count: number;
  readonly values: DecodedArray;
  readonly definitions: Uint8Array | undefined;
  readonly repetitions: Uint8Array | undefined;
}

/** The pages of a chunk, together the values that it promises. Throws an error that says what is wrong, but not where. */
export async function* readPages(read: ReadBytes, chunk: Chunk): AsyncGenerator<Page> {
  const { leaf, codec, values: promised } = chunk;
  const { type, element } = leaf;
  const size = chunk.end - chunk.start;
  const at = windowOf(read, chunk);
  const decoder = { type, element, parsers: DEFAULT_PARSERS, schemaPath: [] } as unknown as ColumnDecoder;
  const width = type === "FIXED_LEN_BYTE_ARRAY" ? toCount(element.type_length, "the length of a value") : widths[type];
  let dictionary: DecodedArray | undefined;
  let seen = 0;
  for (let offset = 0; seen < promised; ) {
    if (offset >= size) throw new Error(`${seen} values instead of ${promised}`);
    const { header, length } = await headerAt(at, offset, size);
    const packedSize = toCount(header.compressed_page_size, "the size of a page");
    if (packedSize > size - offset - length) throw new Error("a page is longer than the column");
    const whole = toCount(header.uncompressed_page_size, "the size of a page");
    if (whole > largestPage) throw new Error(`a page is larger than ${largestPage / 2 ** 20} MiB`);
    const packed = await at(offset + length, packedSize);
    offset += length + packedSize;
    checkCrc(packed, header.crc);
    if (header.type === "DICTIONARY_PAGE") {
      const count = toCount(header.dictionary_page_header?.num_values, "the number of values of a dictionary");
      const encoding = header.dictionary_page_header?.encoding;
      if (dictionary) throw new Error("it has two dictionaries");
      if (encoding !== "PLAIN" && encoding !== "PLAIN_DICTIONARY")
        throw new Error(`a dictionary in ${encoding ?? "an unknown encoding"}`);
      if (type === "BOOLEAN" || (width !== undefined && whole !== count * width) || count > whole)
        throw new Error("a dictionary is not as long as it says");
      const page = unpack(packed, whole, codec);
      const reader = { view: new DataView(page.buffer), offset: 0 };
      dictionary = convert(readPlain(reader, type, count, element.type_length), decoder);
    } else if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
      const claims = header.type === "DATA_PAGE" ? header.data_page_header : header.data_page_header_v2;
      const count = toCount(claims?.num_values, "the number of values of a page");
      if (count > promised - seen) throw new Error(`more than the ${promised} values that are promised`);
      if (width !== undefined && whole > 2 ** 16 + count * (width + 8))
        throw new Error("a page is too long for its values");
      seen += count;
      if (count === 0) continue;
      const { values, present, ...levels } = layOut(packed, whole, codec, header, count, leaf);
      yield {
        count,
        ...levels,
        values: decode(values, claims?.encoding, present, { chunk, decoder, dictionary, width }),
      };
    } else if (header.type !== "INDEX_PAGE") throw new Error("a page of unknown type");
  }
}

/** Bytes of a chunk, so many from a place on, fewer only at its end: a window of it is in memory, or what is asked for. */
function windowOf(read: ReadBytes, { start, end }: Chunk) {
  let from = 0;
  let bytes: Bytes = new Uint8Array();
  return async (offset: number, length: number): Promise<Bytes> => {
    const stop = Math.min(offset + length, end - start);
    if (offset < from || stop > from + bytes.length) {
      const more = Math.min(Math.max(stop, offset + windowSize), end - start);
      bytes = await read(start + offset, start + more);
      from = offset;
    }
    return bytes.subarray(offset - from, stop - from);
  };
}

async function headerAt(at: (offset: number, length: number) => Promise<Bytes>, offset: number, size: number) {
  for (let length = 2 ** 12; ; length *= 16) {
    const bytes = await at(offset, length);
    try {
      endOfStruct(bytes, 0);
    } catch (error) {
      // Statistics of long texts make long headers.
      if (offset + length >= size) throw error;
      continue;
    }
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
    const header: PageHeader = parquetHeader(reader);
    return { header, length: reader.offset };
  }
}

interface Context {
  readonly chunk: Chunk;
  readonly decoder: ColumnDecoder;
  readonly dictionary: DecodedArray | undefined;
  /** Bytes of a value, if all are of the same. */
  readonly width: number | undefined;
}

/** The values that are there. */
function decode(values: Bytes, encoding: Encoding | undefined, present: number, context: Context): DecodedArray {
  if (present === 0) return [];
  const { chunk, decoder, dictionary } = context;
  checkValues(values, encoding, present, context);
  const claims = { num_values: present, encoding: encoding as Encoding };
  const levels = { definition_level_encoding: "RLE" as const, repetition_level_encoding: "RLE" as const };
  const { dataPage } = readDataPage(values, { ...claims, ...levels }, decoder);
  const data = convertWithDictionary(dataPage, dictionary, claims.encoding, decoder);
  if (data.length !== present) throw new Error(`${data.length} values in a page of ${present}`);
  // hyparquet gives undefined for an index beyond the dictionary.
  if (Array.isArray(data) && data.some((value) => value === undefined || value === null))
    throw new Error("a value is not in the dictionary");
  const { range } = chunk.leaf;
  if (range) {
    const [least, greatest] = range;
    for (const value of data as Iterable<number | bigint>) {
      if (value < least || value > greatest) throw new Error("a value is too large for its type");
    }
  }
  return data;
}

function checkValues(values: Uint8Array, encoding: Encoding | undefined, present: number, context: Context): void {
  const { width, dictionary, chunk } = context;
  const { type } = chunk.leaf;
  switch (encoding) {
    case "PLAIN":
    case "BYTE_STREAM_SPLIT": {
      if (type === "BOOLEAN" && encoding !== "PLAIN") break;
      const length = type === "BOOLEAN" ? Math.ceil(present / 8) : width && present * width;
      if (length !== undefined && values.length !== length) throw new Error("a page is not as long as its values");
      if (length === undefined && present > values.length) throw new Error("a page ends too early");
      return;
    }
    case "RLE":
      if (type !== "BOOLEAN") break;
      if (values.length < 4) throw new Error("a page ends too early");
      checkRuns(values.subarray(4), 1, present);
      return;
    case "PLAIN_DICTIONARY":
    case "RLE_DICTIONARY":
      if (!dictionary?.length) throw new Error("its dictionary is missing");
      if (values.length === 0) throw new Error("a page ends too early");
      if (values[0] !== 0 || values.length > 1) checkRuns(values.subarray(1), values[0] ?? 0, present);
      return;
    case "DELTA_BINARY_PACKED":
      if (type !== "INT32" && type !== "INT64") break;
      checkDelta(values, present, type === "INT32" ? 32 : 64);
      return;
    case "DELTA_BYTE_ARRAY":
      if (type !== "BYTE_ARRAY") break;
      checkDeltaTexts(values, present, largestPage);
      return;
    case "DELTA_LENGTH_BYTE_ARRAY":
      if (type !== "BYTE_ARRAY") break;
      checkDelta(values, present, 32);
      return;
  }
  throw new Error(`values in ${encoding ?? "an unknown encoding"}, which is not read here`);
}
