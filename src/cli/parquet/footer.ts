// A Parquet file's footer: which columns there are, nested ones included, and where their parts lie. All its claims are checked
// against each other and against the size of the file.

import { parquetMetadata, parquetSchema } from "hyparquet";
import { getTreePath } from "hyparquet/src/schema.js";
import type { CompressionCodec, ParquetType, RowGroup, SchemaElement, SchemaTree } from "hyparquet/src/types.js";
import { endOfStruct } from "./thrift.ts";

/** Footers of thousands of row groups are a few megabytes; an object of JavaScript takes many times its bytes there. */
const longestFooter = 2 ** 24;

/** Plain values: a column of them, or what a column of lists and structures has at one of its ends. */
export interface Leaf {
  /** With the names of what it lies in: "messages.list.element.content". */
  readonly name: string;
  readonly type: ParquetType;
  /** As hyparquet converts by it. */
  readonly element: SchemaElement;
  /** What integers of fewer bits than they are stored in may be. */
  readonly range: readonly [least: number, greatest: number] | undefined;
  /** How many of the steps to it may be missing, and how many may be repeated: what a value's two levels count up to. */
  readonly definitions: number;
  readonly repetitions: number;
}

export interface Column {
  readonly name: string;
  readonly tree: SchemaTree;
  readonly leaves: readonly Leaf[];
}

/** What a row group holds of a leaf: bytes of the file. */
export interface Chunk {
  readonly leaf: Leaf;
  readonly codec: CompressionCodec;
  readonly values: number;
  readonly start: number;
  readonly end: number;
}

export interface Group {
  readonly rows: number;
  /** Those of all columns' leaves, in their order. */
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
  /** Those that are wanted and can be read. */
  readonly columns: readonly Column[];
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
  const trees = leavesOf(root);
  const names = root.children.map(({ element }) => element.name);
  const unreadable: Record<string, symbol> = {};
  const columns = root.children.flatMap((tree): Column[] => {
    const { name } = tree.element;
    if (wanted !== "all" && !wanted.includes(name)) return [];
    const leaves = leavesOf(tree).map((leaf) => leafOf(leaf, root));
    const problem = leaves.find((leaf) => typeof leaf === "symbol");
    if (problem) unreadable[name] = problem;
    return problem ? [] : [{ name, tree, leaves: leaves as Leaf[] }];
  });
  const leaves = new Map(columns.flatMap((column) => column.leaves.map((leaf) => [leaf.name, leaf])));
  const groups = metadata.row_groups.map((group, i) => {
    try {
      return readGroup(group, trees, leaves, end);
    } catch (error) {
      throw new Error(`row group ${i + 1}: ${error instanceof Error ? error.message : error}`);
    }
  });
  const promised = toCount(metadata.num_rows, "the number of rows");
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  if (rows !== promised) throw new Error(`it promises ${promised} rows, and its row groups ${rows}`);
  return { groups, columns, unreadable, names };
}

function leavesOf(tree: SchemaTree): SchemaTree[] {
  return tree.children.length === 0 && tree.path.length > 0 ? [tree] : tree.children.flatMap(leavesOf);
}

function readGroup(
  group: RowGroup,
  trees: readonly SchemaTree[],
  leaves: ReadonlyMap<string, Leaf>,
  end: number,
): Group {
  const rows = toCount(group.num_rows, "the number of rows");
  if (group.columns.length !== trees.length) throw new Error("it has not the columns of the schema");
  const chunks: Chunk[] = [];
  for (const [i, tree] of trees.entries()) {
    const { meta_data: meta, file_path } = group.columns[i] as RowGroup["columns"][number];
    const name = tree.path.join(".");
    if (!meta || file_path) throw new Error(`${name}: it lies in another file or is encrypted`);
    if (meta.path_in_schema.join(".") !== name) throw new Error(`${name}: the schema names another column`);
    if (meta.type !== tree.element.type) throw new Error(`${name}: the schema names another type`);
    const leaf = leaves.get(name);
    if (!leaf) continue;
    const values = toCount(meta.num_values, "the number of values");
    // An empty list takes a value too.
    if (leaf.repetitions === 0 ? values !== rows : values < rows)
      throw new Error(`${name}: it has ${values} values for ${rows} rows`);
    const data = toCount(meta.data_page_offset, `${name}: the place of its data`);
    const dictionary = toCount(meta.dictionary_page_offset ?? 0, `${name}: the place of its dictionary`);
    const start = dictionary > 0 && dictionary < data ? dictionary : data;
    const size = toCount(meta.total_compressed_size, `${name}: its size`);
    if (start < 4 || size > end - start) throw new Error(`${name}: it lies outside the file`);
    chunks.push({ leaf, codec: meta.codec, values, start, end: start + size });
  }
  return { rows, chunks };
}

/** Levels are kept in bytes; no writer nests deeper than a few of them. */
const mostLevels = 64;

/** The leaf, or what it holds that is not read. */
function leafOf(tree: SchemaTree, root: SchemaTree): Leaf | symbol {
  const { element, path } = tree;
  const { type, logical_type: logical, converted_type: converted } = element;
  const name = path.join(".");
  const steps = getTreePath(root, path).slice(1);
  for (const { element: step } of steps) {
    if (["OPTIONAL", "REQUIRED", "REPEATED"].includes(step.repetition_type ?? "")) continue;
    throw new Error(`${name}: neither required nor optional`);
  }
  const definitions = steps.filter((step) => step.element.repetition_type !== "REQUIRED").length;
  const repetitions = steps.filter((step) => step.element.repetition_type === "REPEATED").length;
  if (definitions > mostLevels) throw new Error(`${name}: nests too deep`);
  const meaning = logical?.type ?? converted;
  const fits: Readonly<Record<ParquetType, boolean>> = {
    BOOLEAN: meaning === undefined,
    INT32: meaning === undefined || /^(INTEGER|U?INT_\d+|DECIMAL)$/.test(meaning),
    INT64: meaning === undefined || /^(INTEGER|U?INT_\d+|DECIMAL)$/.test(meaning),
    INT96: false,
    FLOAT: meaning === undefined,
    DOUBLE: meaning === undefined,
    // NaN and infinities may be spelled out; other text is refused where it stands.
    BYTE_ARRAY: meaning === undefined || /^(STRING|UTF8|ENUM|JSON|DECIMAL)$/.test(meaning),
    FIXED_LEN_BYTE_ARRAY: meaning === "FLOAT16" || meaning === "UUID" || meaning === "DECIMAL",
  };
  if (type === undefined || !fits[type]) return Symbol(`a value of type ${meaning ?? type ?? "unknown"}`);
  if (meaning === "FLOAT16" && element.type_length !== 2) throw new Error(`${name}: float16 of other than 2 bytes`);
  if (meaning === "UUID" && element.type_length !== 16) throw new Error(`${name}: a UUID of other than 16 bytes`);
  // hyparquet looks at the older of the two marks alone.
  const isDecimal = logical?.type === "DECIMAL" || converted === "DECIMAL";
  const scale = logical?.type === "DECIMAL" ? logical.scale : element.scale;
  if (logical && converted === "DECIMAL" && (logical.type !== "DECIMAL" || (element.scale ?? 0) !== (scale ?? 0))) {
    throw new Error(`${name}: the schema contradicts itself`);
  }
  const known: SchemaElement = {
    ...element,
    ...(isDecimal && { converted_type: "DECIMAL" as const, ...(scale !== undefined && { scale }) }),
    ...(logical?.type === "JSON" && { converted_type: "JSON" as const }),
  };
  return { name, type, element: known, range: rangeOf(element), definitions, repetitions };
}

function rangeOf({ logical_type: logical, converted_type: converted, type }: SchemaElement): Leaf["range"] {
  const [, unsigned, width] = /^(U?)INT_(\d+)$/.exec(converted ?? "") ?? [];
  const bits = logical?.type === "INTEGER" ? logical.bitWidth : Number(width);
  const isSigned = logical?.type === "INTEGER" ? logical.isSigned : unsigned === "";
  if (!(bits < (type === "INT64" ? 64 : 32))) return undefined;
  return isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}
