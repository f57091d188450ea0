// dpo-kernels score on completions with a label, and on what a finished job has left.

import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { createWasm } from "../src/index.ts";
import { createScorer, type LabelledRow, tokenizePairs } from "../src/text.ts";
import { folder, lines, run, write } from "./cli-run.ts";
import { loadModel, loadTokenizer, missing, modelFolder } from "./text/support.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Row = Record<string, unknown>;
const path = (name: string): string => join(folder, name);
const jsonOf = (file: string): Row[] => {
  const text = readFileSync(file, "utf8").trimEnd();
  return text.split("\n").map((line) => JSON.parse(line) as Row);
};

const things = ["cat", "dog", "ball", "tree", "bird", "boy", "girl", "car"];
const judged = Array.from({ length: 11 }, (_, i) => ({
  id: i,
  prompt: ` Once upon a time there was a ${things[i % 8]} and`,
  completion: ` it was ${"very ".repeat(i % 4)}${i % 2 ? "happy" : "sad"}.`,
  label: i % 3 !== 0,
}));

describe.skipIf(missing !== "")(`score${missing}`, () => {
  const model = modelFolder();
  const score = (data: string, out: string, ...more: string[]) =>
    run(["score", data, "--model", model, "--out", path(out), ...more]);
  const scorer = async () => createScorer({ model: await loadModel(), backend: await createWasm() });

  describe("rows with a label", () => {
    it("get the names that TRL's KTOTrainer reads, its mismatched rows, and the loss of their batch", async () => {
      const data = write("judged.jsonl", lines(...judged));
      const { status, stdout, stderr } = score(data, "rows.jsonl", "--batch-size", "4", "--shard-size", "3", "--json");
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const rows = jsonOf(path("rows.jsonl"));
      expect(rows.map(({ id, prompt, completion, label }) => ({ id, prompt, completion, label }))).toEqual(judged);
      const tokens = tokenizePairs(judged as LabelledRow[], await loadTokenizer());
      // TRL: the completions of a batch of four move on by one.
      const others = tokens.map((row, i) => {
        const last = Math.min(i - (i % 4) + 4, tokens.length) - 1;
        return { ...row, completion_ids: (tokens[i % 4 === 0 ? last : i - 1] as typeof row).completion_ids };
      });
      const [own, mismatched] = [await (await scorer()).logps(tokens), await (await scorer()).logps(others)];
      for (const [i, row] of rows.entries()) {
        expect(Math.abs((row["logps"] as number) - (own.logps[i] as number))).toBeLessThan(1e-4);
        expect(Math.abs((row["KL_logps"] as number) - (mismatched.logps[i] as number))).toBeLessThan(1e-4);
        const same = { ref_logps: row["logps"], ref_KL_logps: row["KL_logps"], completion_length: own.lengths[i] };
        expect(row).toMatchObject({ ...same, loss: 0.5, reward: 0 });
      }
      expect(JSON.parse(stdout)).toMatchObject({ rows: 11, batches: 3, loss: 0.5, losses: [{ id: "kto" }] });
      // Its own output is a file of rows.
      const again = run(["loss", path("rows.jsonl"), "--loss-type", "kto", "--batch-size", "4", "--json"]);
      expect(JSON.parse(again.stdout).loss).toBe(0.5);
    });

    it("of messages, and a loss without mismatched rows", () => {
      const said = (role: string, content: string) => [{ role, content }];
      const chats = ["red", "blue", "red"].map((color, i) => ({
        prompt: said("user", `What is ${color}?`),
        completion: said("assistant", " A ball."),
        label: i % 2,
      }));
      const data = write("judged-chats.jsonl", lines(...chats));
      const { status, stderr } = score(data, "chats.jsonl", "--loss-type", "apo_zero_unpaired");
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      const rows = jsonOf(path("chats.jsonl"));
      expect(rows).toMatchObject(chats.map((chat) => ({ ...chat, completion_length: 6 })));
      expect(Object.keys(rows[0] as Row).slice(3)).toEqual([
        "ref_logps",
        "logps",
        "completion_length",
        "loss",
        "reward",
      ]);
    });

    it("say where blocks of mismatched rows end, once rows are dropped", () => {
      const long = { ...judged[0], prompt: " the cat".repeat(40) };
      const data = write("long-rows.jsonl", lines(long, ...judged));
      const { status, stdout } = score(data, "long-rows.out.jsonl", "--max-length", "64");
      expect(status).toBe(0);
      expect(stdout).toContain("1 of 12 rows dropped, since the prompt alone fills --max-length");
      expect(stdout).toContain("score the output once more for TRL's own blocks");
    });

    it("are refused where they are not what was asked for", () => {
      const data = write("some-rows.jsonl", lines(...judged));
      const mixed = write("mixed.jsonl", lines(judged[0], { prompt: "a", chosen: "b", rejected: "c" }));
      const unlabelled = write("unlabelled.jsonl", lines({ prompt: "a", completion: "b" }));
      const cases: [string[], string][] = [
        [[data, "--loss-type", "ipo"], "--loss-type: expected losses of rows, got one of pairs"],
        [[data, "--batch-size", "1"], "--batch-size: expected a number of at least 2"],
        [[data, "--batch-size", "all"], "--batch-size: expected a number of at least 2"],
        [[data, "--report", "page.html"], "--report: shows pairs, and these are rows"],
        [[data, "--group-by", "id"], "--group-by: groups pairs, and these are rows"],
        [[mixed], "mixed.jsonl:2: expected a completion, as in the first row, got a pair"],
        [[unlabelled], "unlabelled.jsonl:1: label: expected true or false, got undefined"],
      ];
      for (const [args, message] of cases) {
        const { status, stderr } = run(["score", ...args, "--model", model, "--out", path("refused.jsonl")]);
        expect([args.join(" "), status, stderr]).toEqual([args.join(" "), 2, expect.stringContaining(message)]);
        rmSync(path("refused.jsonl.job"), { recursive: true, force: true });
      }
    });
  });

  describe("a finished job", () => {
    const pairs = judged
      .slice(0, 4)
      .map(({ prompt, completion }) => ({ prompt, chosen: completion, rejected: " no." }));
    // Log-probs under other names that loss would take first.
    const data = write("pairs.jsonl", lines(...pairs.map((pair) => ({ ...pair, policy_chosen_logps: -1 }))));

    it.each([["jsonl"], ["csv"], ["parquet"]])("%s: says so again, and refuses others its name", (format) => {
      const out = `done.${format}`;
      const first = score(data, out, "--json");
      expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: "" });
      expect(JSON.parse(first.stdout).loss).toBeCloseTo(Math.LN2, 6);
      const bytes = readFileSync(path(out));
      // Killed while it was removing its shards.
      mkdirSync(path(`${out}.job`));
      writeFileSync(join(path(`${out}.job`), "00000000.json"), "{}");
      const second = score(data, out, "--json");
      expect(second).toMatchObject({ status: 0, stdout: first.stdout });
      expect(second.stderr).toContain(`${out}: complete since an earlier run, nothing was computed`);
      expect(score(data, out).stdout).toContain("│ loss ");
      expect(existsSync(path(`${out}.job`))).toBe(false);
      const others: [string[], string][] = [
        [["--max-length", "99"], "is the output of a job with other options; give --out another name"],
        [["--reference", model], "is the output of a job with another reference"],
        [["--loss-type", "ipo"], "has another loss or other options of it"],
      ];
      for (const [more, message] of others) {
        const { status, stderr } = score(data, out, ...more);
        expect([more.join(" "), status, stderr]).toEqual([more.join(" "), 2, expect.stringContaining(message)]);
      }
      expect(readFileSync(path(out)).equals(bytes)).toBe(true);
    });

    it("is begun anew where its output is gone, and refused where that was changed", () => {
      expect(score(data, "gone.jsonl").status).toBe(0);
      rmSync(path("gone.jsonl"));
      expect(score(data, "gone.jsonl", "--loss-type", "ipo").stderr).toBe("");
      appendFileSync(path("gone.jsonl"), "\n");
      const { status, stderr } = score(data, "gone.jsonl", "--loss-type", "ipo");
      expect([status, stderr]).toEqual([2, expect.stringContaining("was changed after its job had written it")]);
    });
  });
});
