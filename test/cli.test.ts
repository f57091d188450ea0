// The command line as a child process: what it computes and prints. What it refuses: cli-refusals.test.ts.

import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { dataLines, dataPath, folder, lines, loss, pair, root, run, write } from "./cli-run.ts";

/** To five digits, where the numbers are float32's. */
const near = (got: unknown, expected: unknown): void => expect(Number(got) / Number(expected)).toBeCloseTo(1, 5);

/** What differs from run to run. */
const timeless = { seconds: 0, pairsPerSecond: 0 };

describe("loss of the file in examples/data", () => {
  interface Case {
    loss_types: string[];
    loss_weights: number[];
    hyper: Record<string, unknown>;
    loss: number;
    metrics: Record<string, number>;
  }
  const golden = JSON.parse(readFileSync(join(root, "test/golden/training.json"), "utf8")) as {
    logps: { cases: Case[] };
  };

  it.each(
    golden.logps.cases.map((one) => [`${one.loss_types.join(" + ")} ${JSON.stringify(one.hyper)}`, one] as const),
  )("%s is TRL's", (_, { loss_types, loss_weights, hyper, loss: expected, metrics }) => {
    const config = write("config.json", JSON.stringify({ loss_type: loss_types, loss_weights, ...hyper }));
    const got = loss([dataPath, "--config", config]);
    expect(got.pairs).toBe(2312);
    near(got.loss, expected);
    for (const [name, value] of Object.entries(metrics)) near(got.metrics[name], value);
  });

  it("is the same in batches, the gradient's norm too", () => {
    const options = [dataPath, "--loss-type", "sigmoid", "ipo", "--loss-weights", "0.7", "0.3", "--beta", "0.5"];
    const whole = loss(options);
    const parts = loss([...options, "--batch-size", "100"]);
    expect([whole.batches, parts.batches]).toEqual([1, 24]);
    expect(whole.losses).toEqual([
      { id: "sigmoid", weight: 0.7 },
      { id: "ipo", weight: 0.3 },
    ]);
    near(parts.loss, whole.loss);
    near(parts.gradNorm, whole.gradNorm);
    expect(parts.notes).toEqual([]);
  });

  it("depends on the batch where the loss does, and says so", () => {
    const parts = loss([dataPath, "--loss-type", "aot", "--batch-size", "1000"]);
    expect(parts.notes).toEqual([expect.stringMatching(/^aot: depends on .* 3 batches of up to 1000 pairs/)]);
    const whole = loss([dataPath, "--loss-type", "aot", "--batch-size", "all"]);
    expect(whole.notes).toEqual([expect.stringContaining("all pairs were one batch")]);
    near(whole.loss, 0.567988050465);
  });

  it("is the same from Parquet, gzip and standard input", () => {
    const options = ["--loss-type", "ipo", "--beta", "0.5"];
    const plain = loss([dataPath, ...options]);
    const rows = dataLines.map((line) => JSON.parse(line) as Record<string, number>);
    const columnData = Object.keys(rows[0] ?? {}).map((name) =>
      name.endsWith("length")
        ? { name, type: "INT64" as const, data: rows.map((row) => BigInt(row[name] ?? 0)) }
        : { name, type: "DOUBLE" as const, data: rows.map((row) => row[name]) },
    );
    const prompt = { name: "prompt", type: "STRING" as const, data: rows.map(() => "text") };
    const zstd = { codec: "ZSTD" as const, compressors: { ZSTD: zstdCompressSync } };
    for (const how of [{}, zstd]) {
      const parquet = parquetWriteBuffer({ columnData: [prompt, ...columnData], rowGroupSize: 1000, ...how });
      const got = loss([write("pairs.parquet", new Uint8Array(parquet)), ...options]);
      expect({ ...got, ...timeless }).toEqual({ ...plain, ...timeless, file: got.file });
    }
    const gz = loss([write("pairs.jsonl.gz", gzipSync(dataLines.join("\n"))), ...options]);
    expect({ ...gz, ...timeless }).toEqual({ ...plain, ...timeless, file: gz.file });
    const piped = loss(["-", ...options], { input: dataLines.join("\r\n") });
    expect({ ...piped, ...timeless }).toEqual({ ...plain, ...timeless, file: "stdin" });
  });
});

describe("loss", () => {
  it("takes few pairs by hand: gradient norm, options, own spelling, NaN", () => {
    const own = { policyChosen: -10, policyRejected: -20, referenceChosen: -12, referenceRejected: -19 };
    const got = loss(["-", "--beta", "0.2"], { input: lines(pair, "", own) });
    const slope = 0.2 / (1 + Math.exp(0.2 * 3));
    expect(got.pairs).toBe(2);
    near(got.loss, Math.log1p(Math.exp(-0.2 * 3)));
    near(got.gradNorm, slope); // four entries of slope / 2
    expect(got.options).toEqual({ beta: 0.2 });
    const bare = `{"policy_chosen_logps": NaN, "policy_rejected_logps": -20, "ref_chosen_logps": "-Infinity", "ref_rejected_logps": -1}`;
    expect(loss(["-"], { input: bare }).loss).toBe("NaN");
  });

  it("scales the rewards by --beta whatever the loss", () => {
    const options = ["-", "--loss-type", "sft", "--beta", "0.5"];
    const got = loss(options, { input: lines({ ...pair, chosen_length: 5, rejected_length: 4 }) });
    near(got.metrics["rewards/chosen"] as number, 0.5 * (pair.policy_chosen_logps - pair.ref_chosen_logps));
    expect(got.options).toMatchObject({ beta: 0.5 });
  });

  it("reads only what the losses need", () => {
    const policy = { policy_chosen_logps: -10, policy_rejected_logps: -20 };
    expect(loss(["-", "--reference-free"], { input: lines(policy) }).pairs).toBe(1);
    const sft = loss(["-", "--loss-type", "sft"], {
      input: lines({ ...policy, chosen_length: 5, rejected_length: 4 }),
    });
    near(sft.loss, 2);
    expect(loss(["-"], { input: lines(pair, { ...pair, chosen_length: 5 }) }).pairs).toBe(2);
  });

  it("takes a running mean for bco_pair", () => {
    const got = loss(["-", "--loss-type", "bco_pair", "--reward-shift", "running", "--batch-size", "1"], {
      input: lines(pair, pair),
    });
    expect(got.options.rewardShift).toEqual({ mean: expect.closeTo(0.05, 6) as number, count: 2 });
  });

  it("reads a TRL configuration; options prevail, what the losses do not use becomes a note", () => {
    const config = write(
      "trl.json",
      JSON.stringify({ loss_type: "robust", beta: 0.05, label_smoothing: 0.1, lerning_rate: 1 }),
    );
    const robust = loss([dataPath, "--config", config]);
    expect(robust.options).toMatchObject({ lossType: "robust", beta: 0.05, labelSmoothing: 0.1 });
    expect(robust.notes.join("\n")).toContain("lerning_rate");
    const ipo = loss([dataPath, "--config", config, "--loss-type", "ipo", "--beta", "0.5"]);
    near(ipo.loss, 0.899728833402);
    expect(ipo.notes.join("\n")).toContain("label_smoothing");
  });

  it("prints a table for people, and no progress bar in a pipe", () => {
    const { stdout, stderr, status } = run(["loss", dataPath]);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toContain(`${dataPath}: sigmoid, beta 0.1\n┌─`);
    expect(stdout).toMatch(/│ loss +│ +0\.629713 │/);
    expect(stdout).toMatch(/│ rewards\/accuracies +│ +0\.645329 │/);
    expect(stdout).toMatch(/^2,312 pairs in \d+\.\d\d s \([\d,]+ per second\) on (wasm|js)/m);
  });

  const hasScript = spawnSync("script", ["--version"]).status === 0;
  it.skipIf(!hasScript)("shows a progress bar on a terminal", () => {
    const command = `"${process.execPath}" src/cli/main.ts loss ${dataPath} --json`;
    const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], { cwd: root, encoding: "utf8" });
    expect(stdout).toMatch(/░ 0 %/);
    expect(stdout).toContain('"pairs":2312');
  });

  it("streams a large file in little memory", () => {
    const path = join(folder, "large.jsonl");
    const file = openSync(path, "w");
    const part = `${dataLines.slice(0, 1000).join("\n")}\n`;
    for (let i = 0; i < 300; i++) writeSync(file, part);
    closeSync(file);
    const got = loss([path], { flags: ["--max-old-space-size=64"] });
    expect(got).toMatchObject({ pairs: 300_000, batches: 5 });
  });

  it("ends quietly when its reader has seen enough", () => {
    const command = `"${process.execPath}" src/cli/main.ts loss ${dataPath} | head -c 1`;
    const { stderr } = spawnSync("sh", ["-c", command], { cwd: root, encoding: "utf8" });
    expect(stderr).toBe("");
  });
});

describe("doctor and help", () => {
  it("says which backends run", () => {
    const { stdout, status } = run(["doctor"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/│ js +│ yes +│ plain JavaScript/);
    for (const fact of ["bytes may be compiled", "threads", "Float16Array"]) {
      expect(stdout).toMatch(new RegExp(`│ ${fact} +│ yes +│`));
    }
    const report = JSON.parse(run(["doctor", "--json"]).stdout) as { backends: unknown[]; version: string };
    expect(report.version).toBe(packageJson.version);
    expect(report.backends).toContainEqual(expect.objectContaining({ backend: "js", runs: true }));
    expect(report.backends).toContainEqual(expect.objectContaining({ backend: "wasm, SIMD", runs: true }));
  });

  it("--version, --help, no command", () => {
    expect(run(["--version"])).toMatchObject({ status: 0, stdout: `${packageJson.version}\n`, stderr: "" });
    const help = run(["loss", "--help"]);
    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain("Examples:");
    expect(run([])).toMatchObject({ status: 2, stdout: "" });
    expect(run(["compile"]).stderr).toContain("error: unknown command 'compile'");
  });
});

describe("docs/command-line.md", () => {
  const text = readFileSync(join(root, "docs/command-line.md"), "utf8");
  const examples = [...text.matchAll(/^\$ npx dpo-kernels (loss examples\S+[^|\n]*)\n([^`]*)```/gm)];
  // Time and backend differ from machine to machine.
  const steady = (output: string): string => output.replace(/\d+\.\d\d s .*/g, "").trim();

  it.each(examples.map(([, command = "", output = ""]) => [command, output] as const))(
    "%s prints that",
    (command, output) => {
      expect(steady(run(command.split(/\s+/)).stdout)).toBe(steady(output));
    },
  );
});
