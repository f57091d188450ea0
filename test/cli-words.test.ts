// The words of the command line: order, lists, several files, columns under other names, every loss at once.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { joinLists } from "../src/cli/words.ts";
import { dataLines, dataPath, folder, lines, loss, pair, root, run, write } from "./cli-run.ts";
import { pairTypes } from "./support/variants.ts";

describe("lists of words", () => {
  it.each([
    ["loss a.jsonl --loss-type sigmoid sft --beta 1", "loss a.jsonl --loss-type=sigmoid,sft --beta 1"],
    ["loss --loss-type sigmoid sft a.jsonl", "loss --loss-type=sigmoid,sft a.jsonl"],
    ["loss --loss-type sigmoid,sft - --json", "loss --loss-type=sigmoid,sft - --json"],
    ["loss --loss-type sigmod a.jsonl", "loss --loss-type=sigmod a.jsonl"],
    ["loss --loss-type=sigmoid sft a.jsonl", "loss --loss-type=sigmoid,sft a.jsonl"],
    ["loss --loss-weights 1 -0.5 a.jsonl", "loss --loss-weights=1,-0.5 a.jsonl"],
    ["loss --loss-weights 1 2e-1,3 ./4.jsonl", "loss --loss-weights=1,2e-1,3 ./4.jsonl"],
    ["loss --loss-type ipo src", "loss --loss-type=ipo src"],
    ["loss --loss-type --json", "loss --loss-type --json"],
    ["loss a.jsonl --loss-type", "loss a.jsonl --loss-type"],
    ["loss -- --loss-type ipo", "loss -- --loss-type ipo"],
    ["doctor --json", "doctor --json"],
  ])("%s", (words, joined) => {
    expect(joinLists(words.split(" "))).toEqual(joined.split(" "));
  });

  it("may stand before or after the file", () => {
    const before = loss(["--loss-type", "sigmoid", "hinge", "--loss-weights", "0.5", "2", "--beta", "0.2", dataPath]);
    const after = loss([dataPath, "--loss-weights=0.5,2", "--loss-type", "sigmoid,hinge", "--beta=0.2"]);
    const timeless = { seconds: 0, pairsPerSecond: 0 };
    expect({ ...before, ...timeless }).toEqual({ ...after, ...timeless });
  });
});

describe("several losses", () => {
  it("are given alone beside their sum", () => {
    const args = [dataPath, "--label-smoothing", "0.1", "--beta", "0.2"];
    const both = loss([...args, "--loss-type", "robust", "ipo", "--loss-weights", "0.5", "2"]);
    const [robust, ipo] = [
      loss([...args, "--loss-type", "robust"]),
      loss([dataPath, "--loss-type", "ipo", "--beta", "0.2"]),
    ];
    expect(both.losses).toEqual([
      { id: "robust", weight: 0.5 },
      { id: "ipo", weight: 2 },
    ]);
    expect(both.each).toEqual([
      { id: "robust", loss: robust.loss, gradNorm: robust.gradNorm },
      { id: "ipo", loss: ipo.loss, gradNorm: ipo.gradNorm },
    ]);
    expect(both.loss).toBeCloseTo(0.5 * Number(robust.loss) + 2 * Number(ipo.loss), 4);
  });

  it("keep a running mean each", () => {
    const args = ["-", "--reward-shift", "running", "--batch-size", "1"];
    const input = lines(pair, { ...pair, policy_chosen_logps: -1 }, pair);
    const both = loss([...args, "--loss-type", "bco_pair", "sigmoid"], { input });
    const alone = loss([...args, "--loss-type", "bco_pair"], { input });
    expect(both.each?.[0]).toMatchObject({ loss: alone.loss });
  });

  it("all: a line each", () => {
    const got = loss([dataPath, "--loss-type", "all"]);
    // The file has no reward_margin.
    const ids = pairTypes.filter((id) => !id.startsWith("rpo_"));
    expect(got.losses).toEqual(ids.map((id) => ({ id })));
    expect(got.notes).toContain("rpo_sq: left out, since the first pair has no reward_margin");
    expect(got).not.toHaveProperty("loss");
    const sigmoid = loss([dataPath]);
    expect(got.each?.[0]).toEqual({ id: "sigmoid", loss: sigmoid.loss, gradNorm: sigmoid.gradNorm });
    expect(got.metrics).toEqual(sigmoid.metrics);
    const { stdout } = run(["loss", "--loss-type", "all", dataPath]);
    for (const id of ids) expect(stdout).toMatch(new RegExp(`│ ${id} +│ +[-\\d.e+]+ │ +[-\\d.e+]+ │`));
  });

  it("all: without those that need what the file has not", () => {
    const got = loss(["-", "--loss-type", "all"], { input: lines(pair) });
    expect(got.losses.map(({ id }) => id)).not.toContain("ipo");
    expect(got.notes).toContain("ipo: left out, since the first pair has no chosen_length, rejected_length");
    const policy = { policy_chosen_logps: -10, policy_rejected_logps: -20 };
    const free = loss(["-", "--loss-type", "all", "--reference-free"], { input: lines(policy) });
    expect(free.losses.length).toBe(got.losses.length);
    const alone = loss(["-", "--loss-type", "all"], { input: lines(policy) });
    expect(alone.losses.map(({ id }) => id)).toEqual(["cpo_sigmoid", "cpo_hinge"]);
    const { stderr, status } = run(["loss", "-", "--loss-type", "all"], {
      input: lines({ policy_rejected_logps: -20 }),
    });
    expect({ stderr, status }).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("no loss can be computed") as string,
    });
  });
});

describe("several files", () => {
  const [first, second] = [dataLines.slice(0, 1000), dataLines.slice(1000)];
  const parquet = (rows: string[]): Uint8Array => {
    const values = rows.map((row) => JSON.parse(row) as Record<string, number>);
    const columnData = Object.keys(values[0] ?? {}).map((name) => ({
      name,
      type: "DOUBLE" as const,
      data: values.map((value) => value[name]),
    }));
    return new Uint8Array(parquetWriteBuffer({ columnData }));
  };

  it("are one data set, whatever each is", () => {
    const whole = loss([dataPath, "--loss-type", "aot"]);
    const parts = loss([
      write("part-1.jsonl", `${first.join("\n")}\n\n`),
      write("part-2.PARQUET", parquet(second)),
      "--loss-type",
      "aot",
    ]);
    expect(parts).toMatchObject({ file: "2 files", pairs: 2312, batches: 1, loss: whole.loss, metrics: whole.metrics });
  });

  it("are found by a pattern, in order of their names", () => {
    for (const [i, part] of [first, second].entries()) write(`glob-${i}.jsonl`, part.join("\n"));
    const got = loss([join(folder, "glob-*.jsonl")]);
    expect(got.pairs).toBe(2312);
    expect(got.files).toEqual([join(folder, "glob-0.jsonl"), join(folder, "glob-1.jsonl")]);
    expect(run(["loss", join(folder, "none-*.jsonl")]).stderr).toMatch(/none-\*\.jsonl: no such files\n$/);
  });

  it("are each named where they are wrong", () => {
    const good = write("good.jsonl", `${lines(pair, pair)}\n\n\n`);
    const bad = write("bad.jsonl", lines("", pair, { ...pair, ref_chosen_logps: "x" }));
    expect(run(["loss", good, bad, good]).stderr).toBe(
      `error: ${bad}:3: ref_chosen_logps: expected a number, got a string\n`,
    );
    const nan = write("nan.jsonl", lines(pair, { ...pair, policy_chosen_logps: "NaN" }));
    expect(loss([good, good, nan]).notes).toEqual([`NaN: the loss of 1 of 6 pairs, first ${nan}:2`]);
    expect(run(["loss", "-", "-"]).stderr).toBe("error: -: standard input can be read once\n");
  });

  it("are known by their first bytes", () => {
    const plain = loss([dataPath]);
    const unnamed = loss([write("unnamed", parquet(dataLines))]);
    expect(unnamed.metrics).toEqual(plain.metrics);
    const bytes = readFileSync(join(folder, "unnamed"));
    const command = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      "src/cli/main.ts",
      "loss",
      "-",
      "--json",
    ];
    const piped = spawnSync(command[0] ?? "", command.slice(1), { cwd: root, input: bytes, encoding: "utf8" });
    expect(JSON.parse(piped.stdout)).toMatchObject({ file: "stdin", metrics: plain.metrics });
  });
});

describe("columns under other names", () => {
  const { policy_chosen_logps, ...others } = pair;

  it("are mapped", () => {
    const row = { ...others, "my column": policy_chosen_logps, ref_chosen_logps: null, r: -12 };
    const args = ["-", "--map", "policy_chosen_logps=my column", "--map", "referenceChosen=r"];
    expect(loss(args, { input: lines(row) }).loss).toBe(loss(["-"], { input: lines(pair) }).loss);
    const columnData = Object.entries(row).map(([name, value]) => ({ name, type: "DOUBLE" as const, data: [value] }));
    const path = write("mapped.parquet", new Uint8Array(parquetWriteBuffer({ columnData })));
    expect(loss([path, ...args.slice(1)]).loss).toBe(loss(["-"], { input: lines(pair) }).loss);
  });

  it("of TRL in other versions are known", () => {
    const row = { chosen_logps: -10, rejected_logps: -20, reference_chosen_logps: -12, reference_rejected_logps: -19 };
    expect(loss(["-"], { input: lines(row) }).loss).toBe(loss(["-"], { input: lines(pair) }).loss);
  });

  it.each([
    [
      { ...others, policy_chosen_logp: -1 },
      [],
      "policy_chosen_logps: missing (needed by every loss); did you mean policy_chosen_logp? (--map policy_chosen_logps=policy_chosen_logp)",
    ],
    [
      { ...others, a: -1, prompt: "secret" },
      [],
      "policy_chosen_logps: missing (needed by every loss); beside it there are a, prompt (--map policy_chosen_logps=COLUMN)",
    ],
    [
      { ...pair, x: 1 },
      ["--map", "policy_chosen_logps=y"],
      "y: missing (needed by every loss); beside it there are policy_chosen_logps, x (--map y=COLUMN)",
    ],
  ])("%j is compared with what is there", (row, args, problem) => {
    expect(run(["loss", "-", ...args], { input: lines(row) }).stderr).toBe(`error: stdin:1: ${problem}\n`);
  });

  it.each(["x", "=x", "policy_chosen_logps=", "prompt=x"])("%s is no map", (map) => {
    const { stderr, status } = run(["loss", "-", "--map", map]);
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error: --map: expected FIELD=COLUMN/) as string,
    });
  });
});

describe("NaN", () => {
  it("is counted, and ends with status 1 unless it is allowed or the output is for programs", () => {
    const input = lines(pair, "", { ...pair, policy_chosen_logps: "NaN" }, { ...pair, ref_chosen_logps: "NaN" });
    const { status, stdout } = run(["loss", "-"], { input });
    expect(status).toBe(1);
    expect(stdout).toContain("note: NaN: the loss of 2 of 3 pairs, first stdin:3\n");
    expect(run(["loss", "-", "--allow-nan"], { input }).status).toBe(0);
    expect(loss(["-"], { input })).toMatchObject({ loss: "NaN", nan: { pairs: 2, first: "stdin:3" } });
    expect(loss(["-"], { input: lines(pair) })).not.toHaveProperty("nan");
  });
});
