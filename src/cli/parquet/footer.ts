// A Parquet file's footer: which columns there are, and where their parts lie. All its claims are checked against each
// other and against the size of the file.

import { parquetMetadata, parquetSchema } from "hyparquet";
import type { CompressionCodec, ParquetType, RowGroup, SchemaElement, SchemaTree } from "hyparquet/src/types.js";
import { endOfStruct } from "./thrift.ts";

/** Footers of thousands of row groups are a few megabytes; an object of JavaScript takes many times its bytes there. */
const longestFooter = 2 ** 24;

/** A column of plain values, none of them nested or repeated. */
export interface Column {
  readonly name: string;
  readonly type: ParquetType;
  readonly optional: boolean;
  /** What integers of fewer bits than they are stored in may be. */
  readonly range: readonly [least: number, greatest: number] | undefined;
  /** The root of the schema and the column, as hyparquet wants it. */
  readonly schemaPath: SchemaTree[];
}

/** What a row group holds of a column: bytes of the file. */
export interface Chunk {
  readonly column: Column;
  readonly codec: CompressionCodec;
  readonly start: number;
  readonly end: number;
}

export interface Group {
  readonly rows: number;
  readonly chunks: readonly Chunk[];
}

/** How a file is read: the bytes from `start` to `end`. */
export type ReadBytes = (start: number, end: number) => Promise<Uint8Array<ArrayBuffer>>;

/** A number that counts something: of rows, bytes, values. */
export function toCount(value: unknown, what: string): number {
  const count = typeof value === "bigint" ? Number(value) : value;
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error(`${what} is no number`);
}

const magic = "PAR1";

export interface Footer {
  readonly groups: readonly Group[];
  /** What the columns hold that are wanted and cannot be read, by name. */
  readonly unreadable: Readonly<Record<string, symbol>>;
  /** All columns, nested ones by their outermost name. */
  readonly names: readonly string[];
}

/** The footer of a file of `size` bytes, with the row groups' columns named in `wanted`. */
export async function readFooter(read: ReadBytes, size: number, wanted: readonly string[] | "all"): Promise<Footer> {
  const tail = size < 12 ? new Uint8Array(8) : await read(size - 8, size);
  const mark = String.fromCharCode(...tail.subarray(4));
  if (mark === "PARE") throw new Error("it is encrypted");
  if (mark !== magic) throw new Error("its last bytes are not PAR1");
  if (String.fromCharCode(...(await read(0, 4))) !== magic) throw new Error("its first bytes are not PAR1");
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - 12) throw new Error("its footer is longer than the file");
  if (length > longestFooter) throw new Error(`its footer is longer than ${longestFooter / 2 ** 20} MiB`);
  const end = size - 8 - length;
  const bytes = await read(end, size);
  endOfStruct(bytes.subarray(0, length), 0);
  const metadata = parquetMetadata(bytes, { geoparquet: false });
  const root = parquetSchema(metadata);
  if (root.count !== metadata.schema.length) throw new Error("its schema does not add up");
  const leaves = leavesOf(root);
  const names = root.children.map(({ element }) => element.name);
  const unreadable: Record<string, symbol> = {};
  const columns = leaves.map((leaf): Column | undefined => {
    const name = leaf.path[0] ?? "";
    const column = wanted === "all" || wanted.includes(name) ? columnOf(leaf, root) : undefined;
    if (typeof column === "symbol") unreadable[name] = column;
    return typeof column === "symbol" ? undefined : column;
  });
  const groups = metadata.row_groups.map((group, i) => {
    try {
      return readGroup(group, leaves, columns, end);
    } catch (error) {
      throw new Error(`row group ${i + 1}: ${error instanceof Error ? error.message : error}`);
    }
  });
  const promised = toCount(metadata.num_rows, "the number of rows");
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  if (rows !== promised) throw new Error(`it promises ${promised} rows, and its row groups ${rows}`);
  return { groups, unreadable, names };
}

function leavesOf(tree: SchemaTree): SchemaTree[] {
  return tree.children.length === 0 && tree.path.length > 0 ? [tree] : tree.children.flatMap(leavesOf);
}

function readGroup(
  group: RowGroup,
  leaves: readonly SchemaTree[],
  columns: readonly (Column | undefined)[],
  end: number,
): Group {
  const rows = toCount(group.num_rows, "the number of rows");
  if (group.columns.length !== leaves.length) throw new Error("it has not the columns of the schema");
  const chunks: Chunk[] = [];
  for (const [i, leaf] of leaves.entries()) {
    const { meta_data: meta, file_path } = group.columns[i] as RowGroup["columns"][number];
    const name = leaf.path.join(".");
    if (!meta || file_path) throw new Error(`${name}: it lies in another file or is encrypted`);
    if (meta.path_in_schema.join(".") !== name) throw new Error(`${name}: the schema names another column`);
    if (meta.type !== leaf.element.type) throw new Error(`${name}: the schema names another type`);
    const column = columns[i];
    if (!column) continue;
    const values = toCount(meta.num_values, "the number of values");
    if (values !== rows) throw new Error(`${name}: it has ${values} values for ${rows} rows`);
    const data = toCount(meta.data_page_offset, `${name}: the place of its data`);
    const dictionary = toCount(meta.dictionary_page_offset ?? 0, `${name}: the place of its dictionary`);
    const start = dictionary > 0 && dictionary < data ? dictionary : data;
    const size = toCount(meta.total_compressed_size, `${name}: its size`);
    if (start < 4 || size > end - start) throw new Error(`${name}: it lies outside the file`);
    chunks.push({ column, codec: meta.codec, start, end: start + size });
  }
  return { rows, chunks };
}

/** The column, or what it holds instead of numbers. */
function columnOf(leaf: SchemaTree, root: SchemaTree): Column | symbol {
  const { element, path } = leaf;
  const { type, repetition_type: repetition, logical_type: logical, converted_type: converted } = element;
  const name = path.join(".");
  if (path.length > 1 || repetition === "REPEATED") return Symbol("nested values");
  if (repetition !== "OPTIONAL" && repetition !== "REQUIRED") throw new Error(`${name}: neither required nor optional`);
  const meaning = logical?.type ?? converted;
  const fits: Readonly<Record<ParquetType, boolean>> = {
    BOOLEAN: false,
    INT32: meaning === undefined || /^(INTEGER|U?INT_\d+|DECIMAL)$/.test(meaning),
    INT64: meaning === undefined || /^(INTEGER|U?INT_\d+|DECIMAL)$/.test(meaning),
    INT96: false,
    FLOAT: meaning === undefined,
    DOUBLE: meaning === undefined,
    // NaN and infinities may be spelled out; other text is refused where it stands.
    BYTE_ARRAY: meaning === undefined || /^(STRING|UTF8|DECIMAL)$/.test(meaning),
    FIXED_LEN_BYTE_ARRAY: meaning === "FLOAT16" || meaning === "DECIMAL",
  };
  if (type === undefined || !fits[type]) return Symbol(`a value of type ${meaning ?? type ?? "unknown"}`);
  if (meaning === "FLOAT16" && element.type_length !== 2) throw new Error(`${name}: float16 of other than 2 bytes`);
  // hyparquet looks at the older of the two marks alone.
  const isDecimal = logical?.type === "DECIMAL" || converted === "DECIMAL";
  const scale = logical?.type === "DECIMAL" ? logical.scale : element.scale;
  if (logical && converted === "DECIMAL" && (logical.type !== "DECIMAL" || (element.scale ?? 0) !== (scale ?? 0))) {
    throw new Error(`${name}: the schema contradicts itself`);
  }
  const plain: SchemaTree = isDecimal
    ? { ...leaf, element: { ...element, converted_type: "DECIMAL", ...(scale !== undefined && { scale }) } }
    : leaf;
  return { name, type, optional: repetition === "OPTIONAL", range: rangeOf(element), schemaPath: [root, plain] };
}

function rangeOf({ logical_type: logical, converted_type: converted, type }: SchemaElement): Column["range"] {
  const [, unsigned, width] = /^(U?)INT_(\d+)$/.exec(converted ?? "") ?? [];
  const bits = logical?.type === "INTEGER" ? logical.bitWidth : Number(width);
  const isSigned = logical?.type === "INTEGER" ? logical.isSigned : unsigned === "";
  if (!(bits < (type === "INT64" ? 64 : 32))) return undefined;
  return isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}
