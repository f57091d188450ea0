// What the command line tells beside means: the spread of margins, groups of pairs, the columns of a file.

import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { gatherMargins, type Margins, sparkline } from "../src/cli/margins.ts";
import type { PairLossResult } from "../src/types.ts";
import { dataPath, lines, loss, pair, run, write } from "./cli-run.ts";

const spreadOf = (...margins: number[]): Margins | undefined => {
  const gathered = gatherMargins();
  // In two batches, as from a file.
  for (const part of [margins.slice(0, 1), margins.slice(1)]) {
    const chosenRewards = Float32Array.from(part);
    gathered.add({ chosenRewards, rejectedRewards: new Float32Array(part.length) } as unknown as PairLossResult);
  }
  return gathered.spread();
};

describe("margins", () => {
  it("have quantiles between neighbours", () => {
    const quantiles = { min: 0, "5%": 0.25, "25%": 1.25, "50%": 2.5, "75%": 3.75, "95%": 4.75, max: 5 };
    expect(spreadOf(3, 0, 5, 1, 4, 2)?.quantiles).toEqual(quantiles);
    expect(spreadOf(7)?.quantiles).toMatchObject({ min: 7, "50%": 7, max: 7 });
    expect(spreadOf(NaN, NaN)).toBeUndefined();
    expect(spreadOf(NaN, -Infinity, 1, Infinity)?.quantiles).toMatchObject({ min: -Infinity, "50%": 1, max: Infinity });
  });

  it("are counted in bins, each once", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => ((i * 37) % 1000) / 100);
    const histogram = spreadOf(...many.slice(0, 50_000))?.histogram;
    expect(histogram).toMatchObject({ from: 0, to: expect.closeTo(9.99, 5) as number });
    expect(histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(50_000);
    expect(spreadOf(2, 2, 2)?.histogram).toMatchObject({ from: 2, to: 2 });
    expect(spreadOf(0, Infinity, 24)?.histogram.counts).toEqual([1, ...new Array<number>(22).fill(0), 1]);
    expect(sparkline([0, 1, 4, 8])).toBe(" ▁▄█");
  });

  it("are those of the rewards", () => {
    const got = loss([dataPath]);
    const { quantiles, histogram } = got.margins ?? {};
    expect(histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(2312);
    expect(quantiles?.["min"]).toBe(histogram?.from);
    const positive = got.metrics["rewards/accuracies"] ?? 0;
    expect(positive).toBeGreaterThan(0.5);
    expect(quantiles?.["50%"]).toBeGreaterThan(0);
    expect(loss([dataPath, "--batch-size", "100"]).margins).toEqual(got.margins);
    expect(run(["loss", dataPath]).stdout).toMatch(/^margins: min -2\.5, .* max 3\.27 ▕.{24}▏$/m);
  });
});

describe("--group-by", () => {
  const rows = [
    { ...pair, source: "a" },
    { ...pair, source: "b", policy_chosen_logps: -30 },
    { ...pair, source: "a", policy_chosen_logps: -12 },
    { ...pair, source: null },
  ];

  it("gives means for each value, the largest group first", () => {
    const got = loss(["-", "--group-by", "source"], { input: lines(...rows) });
    const [a, b, none] = got.groups ?? [];
    expect(a).toMatchObject({ value: "a", pairs: 2, "rewards/accuracies": 1 });
    expect(a?.["rewards/margins"]).toBeCloseTo(0.2, 6);
    expect(a?.loss).toBeCloseTo((Math.log1p(Math.exp(-0.3)) + Math.log1p(Math.exp(-0.1))) / 2, 6);
    expect(b).toMatchObject({ value: "b", pairs: 1, "rewards/accuracies": 0 });
    expect(none).toMatchObject({ value: null, pairs: 1 });
    const parts = loss(["-", "--group-by", "source", "--batch-size", "1"], { input: lines(...rows) });
    expect(parts.groups).toEqual(got.groups);
    expect(run(["loss", "-", "--group-by", "source"], { input: lines(...rows) }).stdout).toMatch(
      /│ a +│ +2 │ +0\.599\d+ │/,
    );
  });

  it("reads the column of Parquet, and numbers too", () => {
    const data = Object.entries(pair).map(([name, value]) => ({ name, type: "DOUBLE" as const, data: [value, value] }));
    const epoch = { name: "epoch", type: "INT64" as const, data: [1n, 2n] };
    const path = write("groups.parquet", new Uint8Array(parquetWriteBuffer({ columnData: [...data, epoch] })));
    expect(loss([path, "--group-by", "epoch"]).groups?.map(({ value }) => value)).toEqual(["1", "2"]);
  });

  it("gives no loss of a pair where there is none", () => {
    const got = loss(["-", "--group-by", "source", "--loss-type", "aot"], { input: lines(...rows) });
    expect(got.groups?.[0]).not.toHaveProperty("loss");
  });

  it.each([
    ["missing", lines(pair), "--group-by: no pair has missing"],
    ["list", lines({ ...pair, list: [1] }), "--group-by: list holds other than text and numbers"],
    [
      "n",
      lines(...Array.from({ length: 1001 }, (_, n) => ({ ...pair, n }))),
      "--group-by: n has more than 1000 values",
    ],
  ])("%s is refused", (column, input, problem) => {
    expect(run(["loss", "-", "--group-by", column], { input })).toMatchObject({
      status: 2,
      stderr: `error: ${problem}\n`,
    });
  });
});

describe("fields", () => {
  it("lists columns, types, the first row and what they are read as", () => {
    const row = {
      ...pair,
      prompt: "x\u001b[31m".repeat(30),
      n: null,
      list: [1, 2],
      more: { a: NaN },
      reference_chosen_logps: 1,
    };
    const path = write("fields.jsonl", lines("", row));
    const { stdout, status } = run(["fields", path]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/│ policy_chosen_logps +│ number +│ -10 +│ policy_chosen_logps +│/);
    expect(stdout).toMatch(/│ reference_chosen_logps +│ number +│ 1 +│ ref_chosen_logps +│/);
    expect(stdout).toMatch(/│ n +│ null +│ null +│ +│/);
    expect(stdout).toMatch(/│ list +│ array +│ \[1,2\] +│ +│/);
    expect(stdout).not.toContain("\u001b");
    const printed = JSON.parse(run(["fields", path, "--json"]).stdout) as { columns: { name: string }[] };
    expect(printed.columns.map(({ name }) => name)).toEqual(Object.keys(row));
  });

  it("of Parquet, nested ones too", () => {
    const { stdout } = run(["fields", "test/golden/parquet/v2-split-delta.parquet"]);
    expect(stdout).toMatch(/│ chosen_length +│ number +│ \d+ +│ chosen_length +│/);
    expect(stdout).toMatch(/│ prompt +│ string +│ prompt 0 +│ +│/);
  });

  it.each([
    [["fields", "missing.jsonl"], "missing.jsonl: no such file or directory"],
    [["fields", "-"], "stdin: no pairs"],
  ])("%j is refused", (args, problem) => {
    expect(run(args)).toMatchObject({ status: 2, stderr: `error: ${problem}\n` });
  });
});
