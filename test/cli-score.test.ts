// dpo-kernels score: texts and messages to a file of log-probs, and jobs that are killed and go on.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { createWasm } from "../src/index.ts";
import { createScorer, type PairRow, tokenizePairs } from "../src/text.ts";
import { folder, lines, root, run, standingStill, write } from "./cli-run.ts";
import { loadModel, loadTokenizer, missing, modelFolder, tunedFolder } from "./text/support.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Row = Record<string, unknown>;
const path = (name: string): string => join(folder, name);
const jsonOf = (file: string): Row[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

const things = ["cat", "dog", "ball", "tree", "bird", "boy", "girl", "car"];
const pairs = Array.from({ length: 24 }, (_, i) => ({
  id: i,
  prompt: ` Once upon a time there was a ${things[i % 8]} and`,
  chosen: ` it was ${"very ".repeat(i % 5)}happy.`,
  rejected: ` the ${things[(3 * i) % 8]} was sad.`,
}));

describe.skipIf(missing !== "")(`score${missing}`, () => {
  const model = modelFolder();
  const score = (data: string, out: string, ...more: string[]) =>
    run(["score", data, "--model", model, "--out", path(out), ...more]);
  let data = "";
  beforeAll(() => {
    data = write("data.jsonl", lines(...pairs));
  });

  it("adds to each pair what the library gives for it, and says what the loss is", async () => {
    const { status, stdout, stderr } = score(data, "scored.jsonl", "--shard-size", "7", "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const tokenizer = await loadTokenizer();
    const scorer = createScorer({ model: await loadModel(), backend: await createWasm() });
    const want = await scorer.logps(tokenizePairs(pairs as unknown as PairRow[], tokenizer));
    const rows = jsonOf(path("scored.jsonl"));
    expect(rows.map(({ id, prompt, chosen, rejected }) => ({ id, prompt, chosen, rejected }))).toEqual(pairs);
    for (const [i, row] of rows.entries()) {
      expect(Math.abs((row["chosen_logps"] as number) - (want.chosenLogps[i] as number))).toBeLessThan(1e-4);
      expect(Math.abs((row["rejected_logps"] as number) - (want.rejectedLogps[i] as number))).toBeLessThan(1e-4);
      expect(row).toMatchObject({ ref_chosen_logps: row["chosen_logps"], ref_rejected_logps: row["rejected_logps"] });
      expect(row).toMatchObject({ chosen_length: want.chosenLengths[i], rejected_length: want.rejectedLengths[i] });
      expect(row).toMatchObject({ loss: Math.fround(Math.LN2), chosen_reward: 0, margin: 0 });
    }
    const printed = JSON.parse(stdout);
    expect([printed.pairs, printed.loss]).toEqual([24, expect.closeTo(Math.LN2, 6)]);
    expect(printed.notes).toEqual(["no --reference: the model is its own, as it is before training"]);
    expect(existsSync(path("scored.jsonl.job"))).toBe(false);
    // Its own output is a file of pairs.
    expect(JSON.parse(run(["loss", path("scored.jsonl"), "--json"]).stdout).loss).toBe(printed.loss);
  });

  it("to Parquet, with the job's fingerprint; with a reference and another loss; long prompts dropped", async () => {
    const long = { ...pairs[0], id: 99, prompt: " the cat".repeat(40) };
    const more = write("long.jsonl", lines(long, ...pairs.slice(0, 3)));
    const options = ["--reference", model, "--loss-type", "ipo", "--max-length", "64"];
    const { status, stdout, stderr } = score(more, "scored.parquet", ...options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("1 of 4 pairs dropped, since the prompt alone fills --max-length");
    const file = new Uint8Array(readFileSync(path("scored.parquet"))).buffer;
    const rows = (await parquetReadObjects({ file })) as Row[];
    expect(rows.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(rows.map(({ loss }) => loss)).toEqual([25, 25, 25]);
    const { key_value_metadata: metadata } = await parquetMetadataAsync(file);
    const hashes = Object.fromEntries((metadata ?? []).map(({ key, value }) => [key, value]));
    expect(hashes["model"]).toMatch(/^[\da-f]{64}$/);
    expect(hashes["reference"]).toBe(hashes["model"]);
  });

  it("messages, by the chat template beside the tokenizer", () => {
    const said = (role: string, content: string) => [{ role, content }];
    const chats = ["red", "blue"].map((color) => ({
      prompt: said("user", `What is ${color}?`),
      chosen: said("assistant", " A ball."),
      rejected: said("assistant", " The sky."),
    }));
    const { status, stderr } = score(write("chats.jsonl", lines(...chats)), "chats-scored.jsonl");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(jsonOf(path("chats-scored.jsonl"))).toMatchObject(chats.map((chat) => ({ ...chat, chosen_length: 6 })));
    const { status: refused, stderr: said2 } = score(path("chats.jsonl"), "chats.csv");
    expect(refused).toBe(2);
    expect(said2).toContain("chats.jsonl:1: prompt: messages go into .jsonl or .parquet");
  });

  it("messages from JSON to Parquet, and from Parquet's nested columns on to Parquet and JSON, with the same numbers", async () => {
    const said = (role: string, content: string, more = {}) => ({ role, content, ...more });
    const chats = Array.from({ length: 5 }, (_, i) => ({
      id: i,
      tools: i === 3 ? [{ type: "function", function: { name: "f", parameters: { x: { type: "string" } } } }] : null,
      chosen: [said("user", `What is ${things[i]}?`), said("assistant", " A thing.", i === 4 ? { name: "Tom" } : {})],
      rejected: [said("user", `What is ${things[i]}?`), said("assistant", " The sky.")],
      // What it is called is what is computed.
      loss: "none",
    }));
    expect(score(write("talks.jsonl", lines(...chats)), "talks.parquet", "--shard-size", "2").stderr).toBe("");
    const rowsIn = async (name: string): Promise<Row[]> =>
      (await parquetReadObjects({ file: new Uint8Array(readFileSync(path(name))).buffer })) as Row[];
    const first = await rowsIn("talks.parquet");
    expect(first[4]).toMatchObject({
      chosen: [
        { role: "user", name: null },
        { role: "assistant", name: "Tom" },
      ],
    });
    expect(first.map(({ tools }) => tools)).toEqual(chats.map(({ tools }) => tools));
    expect(first.map(({ loss }) => loss)).toEqual(Array(5).fill(Math.fround(Math.LN2)));
    expect(score(path("talks.parquet"), "talks-again.parquet", "--shard-size", "2").stderr).toBe("");
    expect(await rowsIn("talks-again.parquet")).toEqual(first);
    expect(score(path("talks.parquet"), "talks-again.jsonl", "--shard-size", "2").stderr).toBe("");
    expect(jsonOf(path("talks-again.jsonl"))).toEqual(first);
  });

  it("--report: margins, accuracy by length, the worst pairs, whatever stands in their texts", () => {
    const tuned = tunedFolder(path("tuned"));
    const odd = { prompt: " <script>alert(1)</script>", chosen: " a & b", rejected: ' "c"' };
    const { status, stdout, stderr } = run([
      ...["score", write("odd.jsonl", lines(...pairs, odd)), "--model", tuned, "--reference", model],
      ...["--out", path("odd-scored.jsonl"), "--report", path("odd.html"), "--json"],
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const page = readFileSync(path("odd.html"), "utf8");
    expect(page.match(/<svg /g)?.length).toBe(2);
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    const { histogram } = JSON.parse(stdout).margins;
    expect(histogram.to).toBeGreaterThan(histogram.from);
    const margins = jsonOf(path("odd-scored.jsonl")).map(({ margin }) => margin as number);
    const shown = [...page.matchAll(/odd\.jsonl:(\d+)<\/td><td>([^<]*)/g)].map(([, line, margin]) => [
      Number(line),
      Number(margin),
    ]);
    const worst = margins
      .map((margin, i) => [i + 1, Number(margin.toPrecision(6))] as const)
      .sort((a, b) => a[1] - b[1]);
    expect(shown).toEqual(worst.slice(0, 20));
    // Lengths in their order.
    const ticks = [...page.matchAll(/>(\d+)–(\d+)<\/text>/g)].map(([, from]) => Number(from));
    expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
    expect(ticks.length).toBeGreaterThan(1);
    expect(run(["score", data, "--model", model, "--out", path("x.jsonl"), "--report", "page"]).stderr).toContain(
      "--report: expected a name ending in .html, got page",
    );
  });

  describe("a job that is killed", () => {
    /** It stands still when it has so many shards, with the next one written but without its name: it cannot be done too early. */
    const begin = (out: string, shards: number) =>
      spawn(
        process.execPath,
        [
          ...standingStill("rename", `args[1].endsWith("${String(shards).padStart(8, "0")}.json")`),
          ...["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "score", data],
          ...["--model", model, "--out", path(out), "--shard-size", "2"],
        ],
        { cwd: root, stdio: "ignore" },
      );
    const ended = (child: ReturnType<typeof begin>) => new Promise((resolve) => child.once("exit", resolve));
    const shardsOf = (out: string): number =>
      Array.from({ length: 12 }, (_, i) => `${String(i).padStart(8, "0")}.json`).filter((name) =>
        existsSync(join(path(`${out}.job`), name)),
      ).length;

    it("goes on where it was, and leaves the very bytes of one that was not", async () => {
      expect(score(data, "whole.jsonl", "--shard-size", "2").status).toBe(0);
      let before = 0;
      for (const least of [1, 4, 8, 11]) {
        const child = begin("killed.jsonl", least);
        const end = ended(child);
        while (shardsOf("killed.jsonl") < least && child.exitCode === null)
          await new Promise((go) => setTimeout(go, 5));
        child.kill("SIGKILL");
        await end;
        // What was finished stays.
        expect(shardsOf("killed.jsonl")).toBeGreaterThanOrEqual(before);
        before = shardsOf("killed.jsonl");
        expect(before).toBeGreaterThanOrEqual(least);
        expect(existsSync(path("killed.jsonl"))).toBe(false);
      }
      const { status, stdout } = score(data, "killed.jsonl", "--shard-size", "2");
      expect(status).toBe(0);
      expect(stdout).toMatch(/1[12] of 12 shards were there from an earlier run/);
      expect(readFileSync(path("killed.jsonl")).equals(readFileSync(path("whole.jsonl")))).toBe(true);
    });

    it("does not go on with other data or options, and begins anew where its fingerprint is gone", async () => {
      const child = begin("other.jsonl", 1);
      const end = ended(child);
      while (shardsOf("other.jsonl") < 1 && child.exitCode === null) await new Promise((go) => setTimeout(go, 5));
      child.kill("SIGKILL");
      await end;
      const { status, stderr } = score(data, "other.jsonl", "--shard-size", "2", "--max-length", "100");
      expect(status).toBe(2);
      expect(stderr).toContain(
        "other.jsonl.job: was begun with other options; give --out another name, or remove the folder",
      );
      const changed = write("changed.jsonl", lines(...pairs.slice(1)));
      expect(score(changed, "other.jsonl", "--shard-size", "2").stderr).toContain("was begun with other data");
      renameSync(join(path("other.jsonl.job"), "job.json"), path("job.json"));
      const { status: again, stdout } = score(data, "other.jsonl", "--shard-size", "2");
      expect([again, stdout.includes("from an earlier run")]).toEqual([0, false]);
      rmSync(path("job.json"));
    });
  });

  it("refuses in words of files and flags", () => {
    const broken = write("broken.jsonl", lines(pairs[0], { prompt: "a", chosen: 7, rejected: "b" }));
    const others = write("others.jsonl", lines({ question: "a", answer: "b" }));
    const cases: [string[], string][] = [
      [[data, "--out", path("x.jsonl")], "error: --model: missing"],
      [[data, "--model", model], "error: --out: missing"],
      [[data, "--model", folder, "--out", path("x.jsonl")], "model.onnx: no such file"],
      [[data, "--model", path("nowhere"), "--out", path("x.jsonl")], "nowhere: no such folder"],
      [[data, "--model", model, "--out", path("x.txt")], "--out: expected a name ending in .jsonl"],
      [[data, "--model", model, "--out", data], "is an input"],
      [
        [data, "--model", model, "--out", path("x.jsonl"), "--loss-type", "kto"],
        "--loss-type: expected losses of pairs, got one of rows",
      ],
      [[data, "--model", model, "--out", path("x.jsonl"), "--label-smoothing", "0.7"], "--label-smoothing: expected"],
      [["-", "--model", model, "--out", path("x.jsonl")], "-: a job that may be resumed reads its data again"],
      [
        [broken, "--model", model, "--out", path("x.jsonl")],
        "broken.jsonl:2: chosen: expected a text or a list of messages, got a number",
      ],
      [
        [others, "--model", model, "--out", path("y.jsonl")],
        "others.jsonl:1: expected columns chosen and rejected, or prompt, completion and label, got question, answer",
      ],
      [[data, "--model", model, "--out", path("z.jsonl"), "--max-length", "2"], "--max-length: every prompt fills it"],
    ];
    for (const [args, message] of cases) {
      const { status, stderr } = run(["score", ...args]);
      expect([args.join(" "), status, stderr]).toEqual([args.join(" "), 2, expect.stringContaining(message)]);
    }
    // Before any model has been at work: without a shard.
    const late = write("late.jsonl", lines(...pairs, ...pairs, { ...pairs[0], rejected: { text: "a" } }));
    const { stderr } = run(["score", late, "--model", model, "--out", path("y.jsonl"), "--shard-size", "2"]);
    expect(stderr).toContain("late.jsonl:49: rejected: expected a text or a list of messages, got an object");
    // Data that are mended may take the name of those that were not.
    for (const name of ["x", "y", "z"]) expect([name, existsSync(path(`${name}.jsonl.job`))]).toEqual([name, false]);
  });
});
