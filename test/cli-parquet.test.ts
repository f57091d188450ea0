// Parquet on the command line: what other writers write is read, and no damaged file gives fewer rows, hangs or fills the
// memory. test/slow-parquet-fuzz.test.ts tries 10,000 damaged files, this one some hundred.

import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { columnNames } from "../src/cli/field-names.ts";
import { pair, run, write } from "./cli-run.ts";
import { type Columns, parquetFiles } from "./support/parquet-files.ts";
import { fuzz, readColumns } from "./support/parquet-fuzz.ts";

const files = parquetFiles();

const read = (bytes: Uint8Array): Promise<Columns> => readColumns(write("some.parquet", bytes), columnNames({}));
/** The message without the path. */
const refusalOf = (bytes: Uint8Array): Promise<string> =>
  read(bytes).then(
    () => "read",
    (error: unknown) =>
      error instanceof Error && "exitCode" in error ? error.message.replace(/^.*?: /, "") : "thrown",
  );

describe("Parquet files of other writers", () => {
  it.each(files.map((file) => [file.name, file] as const))("%s", async (_, { bytes, columns }) => {
    expect(await readColumns(write("other-writer.parquet", bytes))).toEqual(columns);
  });
});

describe("damaged Parquet files", () => {
  it("are read as what they say or refused, and never in part", async () => {
    const { wrong, same, other, refused } = await fuzz(write("mutant.parquet", ""), 0, 300);
    expect(wrong).toEqual([]);
    expect(Math.min(same, other, refused)).toBeGreaterThan(10);
  });

  const named = (name: string): Uint8Array =>
    files.find((file) => file.name.startsWith(name))?.bytes ?? new Uint8Array();
  /** The file with some bytes, which it must hold once after the place, replaced. */
  const patched = (bytes: Uint8Array, from: readonly number[], to: readonly number[], last = false): Uint8Array => {
    const at = last ? Buffer.from(bytes).lastIndexOf(Buffer.from(from)) : Buffer.from(bytes).indexOf(Buffer.from(from));
    expect(at).toBeGreaterThan(0);
    const copy = bytes.slice();
    copy.set(to, at);
    return copy;
  };

  it("whose page claims more values than there are rows", async () => {
    // Field 5 of a page header is a structure whose first field is the number of values: 25, zigzag 50.
    const bytes = patched(named("v1-plain-required"), [0x2c, 0x15, 50], [0x2c, 0x15, 52]);
    expect(await refusalOf(bytes)).toBe(
      "row group 1: policy_chosen_logps: damaged, or not Parquet (more than the 25 values that are promised)",
    );
    const fewer = patched(named("v1-plain-required"), [0x2c, 0x15, 50], [0x2c, 0x15, 48]);
    expect(await refusalOf(fewer)).toContain("a page is not as long as its values");
  });

  it("whose footer promises other numbers of rows", async () => {
    // The file's number of rows: field 3, an i64 (0x16): 40 rows, zigzag 80; then the list of row groups (0x19).
    const bytes = patched(named("v1-plain-required"), [0x16, 80, 0x19], [0x16, 78, 0x19]);
    expect(await refusalOf(bytes)).toBe("damaged, or not Parquet (it promises 39 rows, and its row groups 40)");
  });

  it("whose schema takes levels for values", async () => {
    // Repetition, field 3 of a column's element, an i32 (0x25), from optional to required; then its name of 21 letters.
    const name = [...Buffer.from("policy_rejected_logps")];
    const bytes = patched(
      named("hyparquet-writer, Snappy"),
      [0x25, 2, 0x18, 21, ...name],
      [0x25, 0, 0x18, 21, ...name],
    );
    expect(await refusalOf(bytes)).toContain("levels in a column without nulls");
    const dictionary = patched(named("v2-int64-delta"), [0x25, 0, 0x18, 21, ...name], [0x25, 2, 0x18, 21, ...name]);
    expect(await refusalOf(dictionary)).toContain("levels are missing");
  });

  it.each([
    ["nothing", 0, "its last bytes are not PAR1"],
    ["a few bytes", 11, "its last bytes are not PAR1"],
    ["cut off", 2000, "its last bytes are not PAR1"],
  ])("that are %s", async (_, length, problem) => {
    expect(await refusalOf(named("v1-plain-required").slice(0, length))).toBe(`damaged, or not Parquet (${problem})`);
  });

  it("whose footer is one deep structure, or one long number", async () => {
    for (const byte of [0x1c, 0x19, 0xff, 0x2f]) {
      const footer = new Uint8Array(1_000_000).fill(byte);
      const tail = new Uint8Array(8);
      new DataView(tail.buffer).setUint32(0, footer.length, true);
      tail.set(Buffer.from("PAR1"), 4);
      const bytes = new Uint8Array(Buffer.concat([Buffer.from("PAR1"), footer, tail]));
      expect(await refusalOf(bytes)).toMatch(/^damaged, or not Parquet \(.+\)$/);
    }
  });

  it("whose checksum does not fit a page", async () => {
    const bytes = named("v1-zstd-float-int32").slice();
    bytes[80] = (bytes[80] ?? 0) ^ 1;
    expect(await refusalOf(bytes)).toContain("checksum is wrong");
  });

  it("end the command line with one sentence and status 2", () => {
    const path = write(
      "spins.parquet",
      patched(named("v1-plain-required"), [0x2c, 0x15, 50], [0x2c, 0x15, 0xfe, 0xff, 0x7f]),
    );
    const { status, stdout, stderr } = run(["loss", path]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: .*spins\.parquet: .*damaged.*\n$/);
  });
});

describe("columns of Parquet files", () => {
  const withColumn = (name: string, type: "STRING" | "BOOLEAN" | "JSON" | "TIMESTAMP", data: unknown[]): Uint8Array => {
    const numbers = Object.entries(pair).filter(([key]) => key !== name);
    const columnData = numbers.map(([key, value]) => ({ name: key, type: "DOUBLE" as const, data: [value] }));
    return new Uint8Array(parquetWriteBuffer({ columnData: [...columnData, { name, type, data }] }));
  };
  it.each([
    ["BOOLEAN" as const, [true], "a boolean"],
    ["JSON" as const, [{ a: 1 }], "an object"],
    ["TIMESTAMP" as const, [new Date(0)], "a value of type TIMESTAMP_MILLIS"],
  ])("of %s are refused where numbers are expected, and passed over elsewhere", async (type, data, got) => {
    const path = write("column.parquet", withColumn("policy_chosen_logps", type, data));
    expect(run(["loss", path]).stderr).toBe(
      `error: ${path}: row 1: policy_chosen_logps: expected a number, got ${got}\n`,
    );
    expect(Object.keys(await read(withColumn("prompt", type, data)))).toEqual(Object.keys(pair));
  });

  it("of BOOLEAN are labels", () => {
    const values = { policy_logps: [-3, -4], ref_logps: [-3, -4], label: [true, false] };
    const columnData = Object.entries(values).map(([name, data]) => ({ name, data }));
    const path = write("labels.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    const { stdout, stderr } = run(["loss", path, "--loss-type", "apo_zero_unpaired", "--json"]);
    expect([JSON.parse(stdout || "{}").rows, stderr]).toEqual([2, ""]);
  });

  it("of lists are refused where numbers are expected", () => {
    const columnData = [{ name: "policy_chosen_logps", data: [[1, 2]] }];
    const schema = [
      { name: "root", num_children: 1 },
      {
        name: "policy_chosen_logps",
        repetition_type: "OPTIONAL" as const,
        num_children: 1,
        converted_type: "LIST" as const,
      },
      { name: "list", repetition_type: "REPEATED" as const, num_children: 1 },
      { name: "element", type: "DOUBLE" as const, repetition_type: "OPTIONAL" as const },
    ];
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, schema }));
    const path = write("list.parquet", bytes);
    expect(run(["loss", path]).stderr).toBe(
      `error: ${path}: row 1: policy_chosen_logps: expected a number, got an array\n`,
    );
  });

  it("of text may spell NaN", async () => {
    const path = write("text.parquet", withColumn("ref_chosen_logps", "STRING", ["NaN"]));
    expect(JSON.parse(run(["loss", path, "--json"]).stdout)).toMatchObject({ loss: "NaN" });
    const other = write("other.parquet", withColumn("ref_chosen_logps", "STRING", ["secret"]));
    expect(run(["loss", other]).stderr).toBe(
      `error: ${other}: row 1: ref_chosen_logps: expected a number, got a string\n`,
    );
  });
});
