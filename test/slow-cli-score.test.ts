// A job of every real pair of the file, killed at 20 random moments: what was finished is never computed again, nothing is lost, and
// the output has the very bytes of a job that was left alone. The texts are offensive: nothing here may print them.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPairs } from "../examples/real-model/pairs.ts";
import { folder, root, write } from "./cli-run.ts";
import { randomFrom } from "./support/pairs.ts";
import { missing, modelFolder, readShared } from "./text/support.ts";

const KILLS = 20;

describe.skipIf(missing !== "")(`score, 2,312 real pairs${missing}`, () => {
  it(`killed ${KILLS} times, leaves the same bytes`, { timeout: 1_800_000 }, async () => {
    // The ends of the prompts and the beginnings of the answers: a model takes its time.
    const rows = readPairs(readShared("data/hh-rlhf-harmless-base-test.jsonl.gz")).map(({ chosen, rejected }) => {
      let common = 0;
      while (common < chosen.length && chosen[common] === rejected[common]) common++;
      const cut = (text: string) => text.slice(common, common + 12);
      return { prompt: chosen.slice(Math.max(0, common - 12), common), chosen: cut(chosen), rejected: cut(rejected) };
    });
    expect(rows.length).toBe(2312);
    const data = write("real.jsonl", rows.map((row) => JSON.stringify(row)).join("\n"));
    const begin = (out: string) =>
      spawn(
        process.execPath,
        [
          ...["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "score", data],
          ...["--model", modelFolder(), "--out", join(folder, out), "--shard-size", "32"],
        ],
        { cwd: root, stdio: "ignore" },
      );
    const end = (child: ReturnType<typeof begin>) => new Promise((resolve) => child.once("exit", resolve));
    const start = performance.now();
    const whole = begin("whole.jsonl");
    expect(await end(whole)).toBe(0);
    const whileAlone = performance.now() - start;

    const job = join(folder, "killed.jsonl.job");
    /** The finished shards, and when each of them was written. */
    const finished = () =>
      new Map(
        (existsSync(job) ? readdirSync(job) : [])
          .filter((name) => /^\d+\.json$/.test(name))
          .map((name) => [name, statSync(join(job, name), { bigint: true }).mtimeNs]),
      );
    const random = randomFrom(5);
    let before = finished();
    for (let kill = 0; kill < KILLS; kill++) {
      const child = begin("killed.jsonl");
      const ended = end(child);
      // Any moment of a run, and of the whole job over all of them: start, first shard, in the midst of a write.
      await Promise.race([ended, new Promise((go) => setTimeout(go, (random() * (2 * whileAlone)) / 10))]);
      child.kill("SIGKILL");
      await ended;
      // Done after all, before it was killed.
      if (existsSync(join(folder, "killed.jsonl"))) break;
      const now = finished();
      for (const [name, written] of before) expect([name, now.get(name)]).toEqual([name, written]);
      before = now;
    }
    expect(await end(begin("killed.jsonl"))).toBe(0);
    const hash = (name: string): string =>
      createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex");
    expect(hash("killed.jsonl")).toBe(hash("whole.jsonl"));
    expect(readFileSync(join(folder, "killed.jsonl")).toString().trim().split("\n").length).toBe(2312);
    expect(existsSync(job)).toBe(false);
  });
});
