// --out: each pair's loss, rewards and margin beside its columns.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { createJs } from "../src/index.ts";
import { dataLines, dataPath, folder, lines, loss, pair, root, run, write } from "./cli-run.ts";

type Row = Record<string, unknown>;
const path = (name: string): string => join(folder, name);
const jsonOf = (file: string): Row[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
const parquetOf = (file: string): Promise<Row[]> =>
  parquetReadObjects({ file: new Uint8Array(readFileSync(file)).buffer }) as Promise<Row[]>;

const rows = dataLines.map((line) => JSON.parse(line) as Record<string, number>);
const column = (name: string): Float64Array => Float64Array.from(rows, (row) => row[name] ?? Number.NaN);
const expected = createJs().pairLoss(
  {
    policyChosen: column("policy_chosen_logps"),
    policyRejected: column("policy_rejected_logps"),
    referenceChosen: column("ref_chosen_logps"),
    referenceRejected: column("ref_rejected_logps"),
  },
  { metrics: "full" },
);

describe("--out", () => {
  it("writes what pairLoss gives, beside what was there, in each format", async () => {
    for (const format of ["jsonl", "parquet"]) {
      const file = path(`out.${format}`);
      loss([dataPath, "--out", file, "--batch-size", "1000"]);
      const got = format === "jsonl" ? jsonOf(file) : await parquetOf(file);
      expect(got).toHaveLength(2312);
      for (const [i, row] of got.entries()) {
        expect(row).toMatchObject(rows[i] ?? {});
        const chosen = expected.chosenRewards?.[i] ?? 0;
        const rejected = expected.rejectedRewards?.[i] ?? 0;
        expect(row["loss"]).toBeCloseTo(expected.losses[i] ?? 0, 5);
        expect(row["chosen_reward"]).toBeCloseTo(chosen, 5);
        expect(row["rejected_reward"]).toBeCloseTo(rejected, 5);
        expect(row["margin"]).toBeCloseTo(chosen - rejected, 5);
      }
    }
    expect(loss([path("out.parquet")]).metrics).toEqual(loss([dataPath]).metrics);
  });

  const odd = { ...pair, prompt: 'a "b",\nc', more: { x: [1, null] }, id: 1, "": null };

  it("keeps text, nested values and NaN", async () => {
    const input = lines({ ...odd, policy_chosen_logps: "NaN" }, odd);
    run(["loss", "-", "--out", path("odd.jsonl")], { input });
    expect(jsonOf(path("odd.jsonl"))[0]).toMatchObject({
      ...odd,
      policy_chosen_logps: "NaN",
      loss: "NaN",
      margin: "NaN",
    });
    run(["loss", "-", "--out", path("odd.csv")], { input: lines(odd) });
    expect(readFileSync(path("odd.csv"), "utf8")).toMatch(
      /^policy_chosen_logps,.*,prompt,more,id,,loss,chosen_reward,rejected_reward,margin\r\n-10,-20,-12,-19,"a ""b"",\nc","{""x"":\[1,null\]}",1,,0\.554/,
    );
    run(["loss", "-", "--out", path("odd.parquet")], { input: lines(odd, { ...odd, more: null }) });
    const [first, second] = await parquetOf(path("odd.parquet"));
    expect(first).toMatchObject({ prompt: odd.prompt, more: odd.more, id: 1 });
    // hyparquet reads a structure that is null as undefined.
    expect(second).toMatchObject({ prompt: odd.prompt, more: undefined });
  });

  it("goes from Parquet to the others, integers as they are", () => {
    loss(["test/golden/parquet/v1-plain-required.parquet", "--out", path("from.jsonl")]);
    expect(jsonOf(path("from.jsonl"))[3]).toMatchObject({
      prompt: "prompt 3",
      chosen_length: expect.any(Number) as number,
    });
  });

  it("replaces an older result, and says so", () => {
    loss([dataPath, "--out", path("once.jsonl")]);
    const again = loss([path("once.jsonl"), "--out", path("twice.jsonl"), "--beta", "0.5"]);
    expect(again.notes.join()).toContain("loss, chosen_reward, rejected_reward, margin replaced by this loss's");
    expect(Number(jsonOf(path("twice.jsonl"))[0]?.["margin"])).toBeCloseTo(
      5 * Number(jsonOf(path("once.jsonl"))[0]?.["margin"]),
      4,
    );
  });

  it("leaves nothing behind, and an older file as it was, when something is wrong", () => {
    const file = write("kept.jsonl", "before");
    const input = lines(pair, { ...pair, ref_chosen_logps: "x" });
    expect(run(["loss", "-", "--out", file, "--batch-size", "1"], { input }).status).toBe(2);
    expect(readFileSync(file, "utf8")).toBe("before");
    expect(run(["loss", "-", "--out", path("empty.parquet")]).stderr).toBe("error: stdin: no pairs\n");
    expect([`${file}.part`, path("empty.parquet"), path("empty.parquet.part")].filter(existsSync)).toEqual([]);
  });

  it.each([
    ["x.txt", [], /^error: --out: expected a name ending in \.jsonl, \.csv, \.parquet, got x\.txt\n$/],
    ["missing/x.csv", [], /^error: missing\/x\.csv: no such file or directory\n$/],
    ["missing/x.parquet", [], /^error: missing\/x\.parquet: no such file or directory\n$/],
    ["x.csv", ["--loss-type", "all"], /^error: --out: needs losses that are summed up, not all\n$/],
  ])("%s %j is refused", (file, args, problem) => {
    expect(run(["loss", "-", "--out", file, ...args], { input: lines(pair) })).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(problem) as string,
    });
  });

  it("does not overwrite what it reads, nor adds columns to a header that is written", () => {
    const input = write("self.jsonl", lines(pair));
    symlinkSync(input, path("link.jsonl"));
    expect(run(["loss", input, "--out", path("link.jsonl")]).stderr).toMatch(
      /^error: --out: .*link\.jsonl is an input\n$/,
    );
    const varied = lines(pair, { ...pair, late: 1 });
    const args = ["loss", "-", "--batch-size", "1", "--out"];
    expect(run([...args, path("v.csv")], { input: varied }).stderr).toMatch(
      /^error: --out: late appears after the first pairs/,
    );
  });

  it("writes a column of numbers and texts as JSON where columns have one type", async () => {
    const mixed = lines({ ...pair, id: 1 }, { ...pair, id: "x" });
    const args = ["loss", "-", "--batch-size", "1", "--out"];
    for (const format of ["jsonl", "parquet"]) {
      const file = path(`mixed.${format}`);
      expect(run([...args, file], { input: mixed }).stderr).toBe("");
      const written = format === "jsonl" ? jsonOf(file) : await parquetOf(file);
      expect(written.map(({ id }) => id)).toEqual([1, "x"]);
    }
  });

  it("says when the disk is full", () => {
    const place = path("full");
    mkdirSync(place);
    const mount = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", place]);
    if (mount.status !== 0) return; // only the superuser may make so small a disk
    try {
      for (const name of ["x.jsonl", "x.csv", "x.parquet"]) {
        const { status, stderr } = run(["loss", join(root, dataPath), "--out", join(place, name)]);
        expect({ status, stderr }).toEqual({
          status: 1,
          stderr: `error: ${join(place, name)}: no space left on device\n`,
        });
        expect(existsSync(join(place, `${name}.part`))).toBe(false);
      }
    } finally {
      spawnSync("umount", [place]);
    }
  });
});
