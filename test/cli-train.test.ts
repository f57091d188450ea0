// dpo-kernels train: hidden states to a head, runs that are killed or stopped and go on, curves, refusals.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { hiddenFile } from "../examples/train-in-workers.ts";
import { readHiddenFile } from "../src/cli/train/hidden-file.ts";
import { createWasm } from "../src/index.ts";
import { createTrainer, readSafetensors, writeSafetensors } from "../src/train.ts";
import { folder, root, run, standingStill, write } from "./cli-run.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

const path = (name: string): string => join(folder, name);
const steps = 60;
const settings = [
  ...["--max-steps", String(steps), "--per-device-train-batch-size", "4", "--learning-rate", "3e-3"],
  ...["--eval-strategy", "steps", "--eval-steps", "10", "--save-steps", "3", "--backend", "wasm"],
];

let states = "";
beforeAll(() => {
  states = write("states.safetensors", hiddenFile(48, 40));
});

const train = (out: string, ...more: string[]) =>
  run(["train", "--hidden", states, "--out", path(out), ...settings, ...more]);
const headOf = (out: string): Buffer => readFileSync(join(path(out), "model.safetensors"));
const metricsOf = (out: string): Record<string, number>[] =>
  readFileSync(join(path(out), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a training", () => {
  it("is the trainer's own, with its metrics a step on a line, and curves at the end", async () => {
    const { status, stdout, stderr } = train("whole", "--report", path("whole.html"));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const task = await readHiddenFile(states);
    const trainer = await createTrainer({
      config: {
        ...{ max_steps: steps, per_device_train_batch_size: 4, learning_rate: 3e-3, max_length: null },
        ...{ eval_strategy: "steps", eval_steps: 10 },
      },
      ...{ examples: task.examples, evalExamples: task.evalExamples, backbone: task.backbone, head: task.head },
      backend: await createWasm(),
    });
    const want: object[] = [];
    for await (const { step, metrics } of trainer) want.push({ step, ...metrics });
    expect(metricsOf("whole")).toEqual(want);
    expect(Object.keys(metricsOf("whole")[0] ?? {})).toEqual(
      expect.arrayContaining([
        "step",
        "loss",
        "grad_norm",
        "learning_rate",
        "epoch",
        "rewards/chosen",
        "rewards/margins",
      ]),
    );
    expect(metricsOf("whole").filter((line) => "eval_loss" in line).length).toBeGreaterThanOrEqual(2);
    const { tensors } = readSafetensors(headOf("whole"));
    expect(tensors["lm_head.weight"]?.data).toEqual(trainer.head.weight);
    // A curve of the terminal is drawn with these.
    expect(stdout).toMatch(/^loss$[\s\S]*[┤┼][\s\S]*margin of the rewards[\s\S]*[╭╮╰╯─]/m);
    expect(stdout).toContain(`finished: step ${steps} of ${steps}`);
    const page = readFileSync(path("whole.html"), "utf8");
    expect(page.match(/<svg /g)?.length).toBe(6);
    for (const title of [
      "Loss",
      "Rewards",
      "Margin of the rewards",
      "Accuracy",
      "Norm of the gradient",
      "Learning rate",
    ]) {
      expect(page).toContain(`<h2>${title}</h2>`);
    }
  });

  it("that is finished says so, and is not another's", () => {
    const before = headOf("whole");
    const { status, stdout } = train("whole", "--json");
    expect(status).toBe(0);
    const { state, step, notes } = JSON.parse(stdout);
    expect([state, step]).toEqual(["finished", steps]);
    expect(notes[0]).toContain("was finished by an earlier run");
    expect(headOf("whole").equals(before)).toBe(true);
    const { status: other, stderr } = train("whole", "--seed", "7");
    expect([other, stderr]).toEqual([
      2,
      expect.stringContaining("was begun with other options; give --out another name"),
    ]);
  });

  it("of an adapter leaves PEFT's files", () => {
    const { status, stderr } = train("lora", "--lora-r", "2", "--lora-alpha", "4");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(readdirSync(path("lora"))).toEqual(
      expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors", "metrics.jsonl"]),
    );
    expect(JSON.parse(readFileSync(join(path("lora"), "adapter_config.json"), "utf8"))).toMatchObject({
      ...{ r: 2, lora_alpha: 4 },
    });
  });

  it("ends with the head of the best evaluation where that is asked for, and says which it was", () => {
    const best = [
      "--load-best-model-at-end",
      "--metric-for-best-model",
      "rewards/chosen",
      "--greater-is-better",
      "false",
    ];
    const { status, stdout } = train("best", ...best, "--json");
    expect(status).toBe(0);
    const evaluated = metricsOf("best").filter((line) => "eval_loss" in line);
    const least = Math.min(...evaluated.map((line) => line["eval_rewards/chosen"] ?? 0));
    const step = evaluated.find((line) => line["eval_rewards/chosen"] === least)?.["step"];
    expect(JSON.parse(stdout).notes).toContain(
      `the best evaluation was behind step ${step}: eval_rewards/chosen ${least}`,
    );
  });

  it("has the same bits in workers, whatever their number", () => {
    for (const workers of ["1", "3"]) {
      const args = settings.filter((word) => word !== "--backend" && word !== "wasm");
      const out = `workers-${workers}`;
      const { status } = run(["train", "--hidden", states, "--out", path(out), ...args, "--workers", workers]);
      expect(status).toBe(0);
      expect(headOf(out).equals(headOf("whole"))).toBe(true);
    }
  });
});

describe("a run that ends early", () => {
  const begin = (out: string, flags: readonly string[]): ChildProcess =>
    spawn(
      process.execPath,
      [
        ...flags,
        ...["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "train", "--hidden", states],
        ...["--out", path(out), ...settings],
      ],
      { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
    );
  const linesOf = (out: string): number => {
    const file = join(path(out), "metrics.jsonl");
    return existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0;
  };
  /** Ends it with a signal once it has taken so many steps. */
  async function endAt(out: string, least: number, signal: NodeJS.Signals, flags: readonly string[] = []) {
    const child = begin(out, flags);
    const end = new Promise<number | null>((resolve) => child.once("exit", resolve));
    let stderr = "";
    child.stderr?.on("data", (text) => {
      stderr += text;
    });
    while (linesOf(out) < least && child.exitCode === null) await new Promise((go) => setTimeout(go, 2));
    child.kill(signal);
    return { status: await end, stderr };
  }

  it("killed at any moment, leaves the very bytes of one that was not", async () => {
    const ends: (number | null)[] = [];
    // On a busy machine the others may be done before they are killed; the first waits for it.
    const first = standingStill("appendFile", "JSON.parse(args[1]).step === 2");
    for (const least of [1, 15, 30, 45]) {
      ends.push((await endAt("killed", least, "SIGKILL", least === 1 ? first : [])).status);
    }
    // No status is that of a killed one.
    expect(ends[0]).toBe(null);
    const { status } = train("killed");
    expect(status).toBe(0);
    expect(headOf("killed").equals(headOf("whole"))).toBe(true);
    expect(metricsOf("killed")).toEqual(metricsOf("whole"));
  });

  it("stopped by Ctrl-C, leaves a checkpoint and says how to go on", async () => {
    const { status, stderr } = await endAt("stopped", 4, "SIGINT");
    // It may have been done before the signal came.
    expect([0, 130]).toContain(status);
    if (status === 130) {
      expect(stderr).toContain("stopping behind this step, with a checkpoint; once more leaves at once");
      expect(existsSync(join(path("stopped"), "model.safetensors"))).toBe(false);
    }
    const { status: done, stdout } = train("stopped");
    expect(done).toBe(0);
    if (status === 130) expect(stdout).toMatch(/went on behind step \d+, where an earlier run was/);
    expect(headOf("stopped").equals(headOf("whole"))).toBe(true);
    expect(metricsOf("stopped")).toEqual(metricsOf("whole"));
  });
});

describe("a disk without room", () => {
  it("ends the run, naming the file, and leaves no head: with room, the same command goes on to the same bytes", () => {
    const args = ["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "train", "--hidden", states];
    // Blocks that a file may have: what is longer is refused by the system, as it is on a disk that is full.
    for (const blocks of [8, 24]) {
      const limited = ["-c", `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, ...args];
      const out = path("full");
      const { status, stderr } = spawnSync("sh", [...limited, "--out", out, ...settings], {
        cwd: root,
        encoding: "utf8",
      });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: `error: ${join(out, "metrics.jsonl")}: file too large\n`,
      });
      expect(existsSync(join(out, "model.safetensors"))).toBe(false);
    }
    expect(train("full").status).toBe(0);
    expect(headOf("full").equals(headOf("whole"))).toBe(true);
    expect(metricsOf("full")).toEqual(metricsOf("whole"));
  });
});

describe("a second Ctrl-C", () => {
  it("ends at once, with nothing half written: the same command goes on to the same bytes", async () => {
    const out = path("twice");
    const args = ["src/cli/main.ts", "train", "--hidden", states, "--out", out, ...settings];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...args], {
      cwd: root,
      stdio: "pipe",
    });
    const end = new Promise<NodeJS.Signals | number | null>((resolve) =>
      child.once("exit", (status, signal) => resolve(signal ?? status)),
    );
    // Whoever is impatient presses it again as soon as the first is answered.
    child.stderr.on("data", (text) => String(text).includes("stopping behind this step") && child.kill("SIGINT"));
    while (!existsSync(join(out, "metrics.jsonl")) && child.exitCode === null)
      await new Promise((go) => setTimeout(go, 2));
    child.kill("SIGINT");
    // It may have stopped by itself, or been done, before the second one came.
    expect(["SIGINT", 130, 0]).toContain(await end);
    expect(train("twice").status).toBe(0);
    expect(headOf("twice").equals(headOf("whole"))).toBe(true);
    expect(metricsOf("twice")).toEqual(metricsOf("whole"));
  });
});

describe("what cannot be", () => {
  it("is said with file, line and field, or the option", () => {
    const yaml = write("wrong.yaml", "beta: 0.1\nlearning_rate: fast\n");
    const odd = write("odd.safetensors", writeSafetensors({ hidden: { shape: [2, 3], data: new Float32Array(6) } }));
    const cut = write("cut.safetensors", readFileSync(states).subarray(0, 1000));
    const pairs = write("pairs.jsonl", '{"prompt_ids":[1],"chosen_ids":[2],"rejected_ids":[3]}\n');
    const hidden = ["--hidden", states];
    const out = ["--out", path("refused")];
    const cases: [string[], string][] = [
      [[], "error: --out: missing; a folder"],
      [out, "error: --model: missing; a folder with a model, or --hidden"],
      [[...hidden, ...out, "--model", folder], "error: --hidden: takes the place of --model"],
      [[...hidden, ...out, "--data", pairs], "error: --data: --hidden has the tokens of its states"],
      [["--model", folder, ...out], "error: --data: missing"],
      [["--model", path("nowhere"), "--data", pairs, ...out], "--model: "],
      [["--hidden", path("nowhere"), ...out], "nowhere: no such file"],
      [["--hidden", odd, ...out], "odd.safetensors: hidden: expected the shape [rows, length, hiddenSize], got [2, 3]"],
      [["--hidden", cut, ...out], "cut.safetensors: "],
      [[...hidden, ...out, "--config", yaml], "wrong.yaml:2:1: learning_rate: expected a number"],
      [[...hidden, ...out, "--beta", "-1"], "error: --beta: "],
      [[...hidden, ...out, "--lora-r", "0.5"], "error: --lora-r: expected a positive integer, got 0.5"],
      [[...hidden, ...out, "--loss-type", "sigmoidd"], "error: --loss-type: "],
      [[...hidden, "--out", join(states, "run")], "states.safetensors/run: not a directory"],
      [[...hidden, "--out", folder], "expected a new or an empty folder, got one with "],
      [[...hidden, ...out, "--report", "page"], "--report: expected a name ending in .html, got page"],
      [[...hidden, ...out, "--lr", "1"], "(Did you mean --learning-rate?)"],
      [[...hidden, ...out, "--max_lenght", "1"], "(Did you mean --max-length?)"],
      [[...hidden, ...out, "--trl-version", "0.24.0"], "--trl-version: needs --config"],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = run(["train", ...args]);
      expect([args.join(" "), status, stderr]).toEqual([args.join(" "), 2, expect.stringContaining(message)]);
    }
    // What was refused stands in nobody's way.
    expect(existsSync(join(path("refused"), "job.json"))).toBe(false);
  });

  it("of a file of hidden states is named by tensor and row", async () => {
    const { tensors, metadata } = readSafetensors(readFileSync(states));
    const [rows = 0, length = 0] = tensors["input_ids"]?.shape ?? [];
    const broken = async (
      change: (copy: Record<string, { shape: readonly number[]; data: never }>) => void,
      more = {},
    ) => {
      const copy = Object.fromEntries(
        Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: data.slice() as never }]),
      );
      change(copy);
      writeFileSync(path("broken.safetensors"), writeSafetensors(copy, { ...metadata, ...more }));
      return readHiddenFile(path("broken.safetensors")).then(
        () => "nothing",
        (error: Error) => error.message.replace(`${path("broken.safetensors")}: `, ""),
      );
    };
    const set = (name: string, at: number, value: number) => (copy: Record<string, { data: never }>) => {
      (copy[name]?.data as unknown as Int32Array)[at] = value;
    };
    expect(await broken(({ weight: _ }) => {})).toBe("nothing");
    expect(await broken((copy) => void delete copy["weight"])).toMatch(/^weight: missing; the file has .*hidden/);
    expect(await broken(set("completion_mask", 6, 0))).toMatch(
      /^completion_mask: row 0: expected ones to the row's end, got 0 at 6/,
    );
    expect(await broken(set("attention_mask", 1, 0))).toMatch(
      /^attention_mask: row 0: expected ones side by side, got 0 at 1/,
    );
    expect(await broken(set("input_ids", 1, 7))).toMatch(/^pair 0: expected one prompt in rows 0 and \d+, got two/);
    expect(await broken(() => {}, { train_pairs: "0" })).toMatch(/^train_pairs: expected 1\.\.48, got 0/);
    expect(await broken(() => {}, { logit_scale: "big" })).toMatch(/^logit_scale: expected a number, got text/);
    expect(rows * length).toBeGreaterThan(0);
  });
});
