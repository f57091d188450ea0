// The values of a column's part in a row group, page by page. A page is decoded by hyparquet, after what it claims has been
// checked against its bytes and against the rows that are promised.

import * as zlib from "node:zlib";
import { snappyUncompress } from "hyparquet";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import type { ColumnDecoder, DecodedArray, PageHeader, ParquetType } from "hyparquet/src/types.js";
import { type Chunk, toCount } from "./footer.ts";
import { unpackLz4 } from "./lz4.ts";
import { checkDelta, checkDeltaTexts, checkRuns } from "./runs.ts";
import { endOfStruct } from "./thrift.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Pages are a megabyte or so; some writers make one of a whole row group. */
const largestPage = 2 ** 28;

const widths: Readonly<Partial<Record<ParquetType, number>>> = { INT32: 4, INT64: 8, FLOAT: 4, DOUBLE: 8 };

/** The arrays of a chunk's pages, together `rows` values. Throws an error that says what is wrong, but not where. */
export function* readPages(bytes: Bytes, { column, codec }: Chunk, rows: number): Generator<DecodedArray> {
  const { type, schemaPath, optional, range } = column;
  const element = (schemaPath[1] as (typeof schemaPath)[number]).element;
  const decoder: ColumnDecoder = {
    pathInSchema: [column.name],
    type,
    element,
    schemaPath,
    codec: "UNCOMPRESSED",
    parsers: DEFAULT_PARSERS,
  } as ColumnDecoder;
  const width = type === "FIXED_LEN_BYTE_ARRAY" ? toCount(element.type_length, "the length of a value") : widths[type];
  let dictionary: DecodedArray | undefined;
  let seen = 0;
  for (let at = 0; seen < rows; ) {
    if (at >= bytes.length) throw new Error(`${seen} values instead of ${rows}`);
    endOfStruct(bytes, at);
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: at };
    const header = parquetHeader(reader);
    const size = toCount(header.compressed_page_size, "the size of a page");
    if (size > bytes.length - reader.offset) throw new Error("a page is longer than the column");
    const packed = bytes.subarray(reader.offset, reader.offset + size);
    at = reader.offset + size;
    checkCrc(packed, header);
    const whole = toCount(header.uncompressed_page_size, "the size of a page");
    if (whole > largestPage) throw new Error(`a page is larger than ${largestPage / 2 ** 20} MiB`);
    if (header.type === "DICTIONARY_PAGE") {
      const count = toCount(header.dictionary_page_header?.num_values, "the number of values of a dictionary");
      const encoding = header.dictionary_page_header?.encoding;
      if (dictionary) throw new Error("it has two dictionaries");
      if (encoding !== "PLAIN" && encoding !== "PLAIN_DICTIONARY")
        throw new Error(`a dictionary in ${encoding ?? "an unknown encoding"}`);
      if (width !== undefined && whole !== count * width) throw new Error("a dictionary is not as long as it says");
      if (count > whole) throw new Error("a dictionary is not as long as it says");
      const page = unpack(packed, whole, codec);
      dictionary = convert(decode(page, { ...header, type: "DICTIONARY_PAGE" }, decoder, undefined), decoder);
    } else if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
      const claims = header.type === "DATA_PAGE" ? header.data_page_header : header.data_page_header_v2;
      const count = toCount(claims?.num_values, "the number of values of a page");
      if (count > rows - seen) throw new Error(`more than the ${rows} values that are promised`);
      if (width !== undefined && whole > 2 ** 16 + count * (width + 8))
        throw new Error("a page is too long for its values");
      seen += count;
      if (count > 0)
        yield readValues(packed, whole, codec, header, { decoder, dictionary, count, width, optional, range });
    } else if (header.type !== "INDEX_PAGE") throw new Error("a page of unknown type");
  }
}

interface Context {
  readonly decoder: ColumnDecoder;
  readonly dictionary: DecodedArray | undefined;
  readonly count: number;
  /** Bytes of a value, if all are of the same. */
  readonly width: number | undefined;
  readonly optional: boolean;
  readonly range: Chunk["column"]["range"];
}

function readValues(
  packed: Bytes,
  whole: number,
  codec: Chunk["codec"],
  header: PageHeader,
  context: Context,
): DecodedArray {
  const { decoder, dictionary, count, optional, range } = context;
  const { page, levels, values } =
    header.type === "DATA_PAGE"
      ? layOut(packed, whole, codec, header, optional)
      : layOutV2(packed, whole, codec, header, context);
  const present = levels ? checkRuns(levels, 1, count) : count;
  if (!optional && present < count) throw new Error("a value is missing");
  const nulls = header.data_page_header_v2?.num_nulls;
  if (header.type === "DATA_PAGE_V2" && nulls !== count - present)
    throw new Error("another number of nulls than promised");
  if (present === 0) return new Array<null>(count).fill(null);
  const encoding = (header.data_page_header ?? header.data_page_header_v2)?.encoding;
  checkValues(values, encoding, present, context);
  const data = decode(page, header, decoder, dictionary);
  if (data.length !== count) throw new Error(`${data.length} values in a page of ${count}`);
  // hyparquet gives undefined for an index beyond the dictionary.
  if (Array.isArray(data)) {
    let found = 0;
    for (const value of data) if (value !== null && value !== undefined) found++;
    if (found !== present) throw new Error("a value is not in the dictionary");
  }
  if (range) {
    const [least, greatest] = range;
    for (const value of data as Iterable<number | bigint | null>) {
      if (value !== null && (value < least || value > greatest)) throw new Error("a value is too large for its type");
    }
  }
  return data;
}

interface Layout {
  /** The page as hyparquet reads it: nothing compressed, in a buffer of its own, so that it cannot read beyond. */
  readonly page: Bytes;
  /** Which values are there, if the column is optional. */
  readonly levels: Uint8Array | undefined;
  readonly values: Uint8Array;
}

function layOut(packed: Bytes, whole: number, codec: Chunk["codec"], header: PageHeader, optional: boolean): Layout {
  const page = unpack(packed, whole, codec);
  if (!optional) return { page, levels: undefined, values: page };
  const levelEncoding = header.data_page_header?.definition_level_encoding;
  if (levelEncoding !== "RLE") throw new Error(`levels in ${levelEncoding ?? "an unknown encoding"}`);
  if (page.length < 4) throw new Error("a page ends too early");
  const end = 4 + new DataView(page.buffer).getUint32(0, true);
  if (end > page.length) throw new Error("a page ends too early");
  return { page, levels: page.subarray(4, end), values: page.subarray(end) };
}

function layOutV2(
  packed: Bytes,
  whole: number,
  codec: Chunk["codec"],
  header: PageHeader,
  { count, optional }: Context,
): Layout {
  const claims = header.data_page_header_v2;
  const levels = toCount(claims?.definition_levels_byte_length, "the size of the levels");
  if (claims?.num_rows !== count || claims.repetition_levels_byte_length !== 0)
    throw new Error("a page of nested values");
  // hyparquet takes them for values, or values for them.
  if (levels > 0 !== optional) throw new Error(optional ? "levels are missing" : "levels in a column without nulls");
  if (levels > packed.length || levels > whole) throw new Error("a page ends too early");
  const rest = packed.subarray(levels);
  const values = claims.is_compressed ? unpack(rest, whole - levels, codec) : rest;
  if (values.length !== whole - levels) throw new Error("a page is not as long as it says");
  const page = new Uint8Array(whole);
  page.set(packed.subarray(0, levels));
  page.set(values, levels);
  return { page, levels: optional ? page.subarray(0, levels) : undefined, values: page.subarray(levels) };
}

function checkValues(values: Uint8Array, encoding: string | undefined, present: number, context: Context): void {
  const { width, dictionary, decoder } = context;
  const { type } = decoder;
  switch (encoding) {
    case "PLAIN":
    case "BYTE_STREAM_SPLIT":
      if (width !== undefined && values.length !== present * width)
        throw new Error("a page is not as long as its values");
      if (present > values.length) throw new Error("a page ends too early");
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

/** hyparquet's decoder, for a page that is not compressed (any more). */
function decode(
  page: Bytes,
  header: PageHeader,
  decoder: ColumnDecoder,
  dictionary: DecodedArray | undefined,
): DecodedArray {
  const { data_page_header_v2: v2 } = header;
  const plain: PageHeader = {
    ...header,
    compressed_page_size: page.length,
    uncompressed_page_size: page.length,
    ...(v2 && { data_page_header_v2: { ...v2, is_compressed: false } }),
  };
  const reader = { view: new DataView(page.buffer), offset: 0 };
  return readPage(reader, plain, decoder, dictionary, undefined, 0).data ?? [];
}

/** A page's bytes without their compression, in a buffer of their own. */
function unpack(packed: Bytes, size: number, codec: Chunk["codec"]): Bytes {
  const bytes = decompress(packed, size, codec);
  if (bytes.length !== size) throw new Error("a page is not as long as it says");
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function decompress(packed: Bytes, size: number, codec: Chunk["codec"]): Bytes {
  const limit = { maxOutputLength: Math.max(size, 1) };
  switch (codec) {
    case "UNCOMPRESSED":
      return packed;
    case "SNAPPY": {
      const page = new Uint8Array(size);
      snappyUncompress(packed, page);
      return page;
    }
    case "LZ4_RAW":
      return unpackLz4(packed, size);
    case "GZIP":
      return zlib.gunzipSync(packed, limit);
    case "BROTLI":
      return zlib.brotliDecompressSync(packed, limit);
    case "ZSTD":
      if ("zstdDecompressSync" in zlib) return zlib.zstdDecompressSync(packed, limit);
      throw new Error("Zstandard needs Node 22.15 or newer");
    default:
      throw new Error(`compressed with ${codec ?? "an unknown codec"}, which is not read here`);
  }
}

/** Few writers give one; Node has the function since 20.15. */
function checkCrc(packed: Bytes, { crc }: PageHeader): void {
  if (crc === undefined || !("crc32" in zlib)) return;
  if (zlib.crc32(packed) !== crc >>> 0) throw new Error("a page's checksum is wrong");
}
