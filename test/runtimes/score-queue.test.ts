// dpo-kernels score over BullMQ on Redis: whatever dies, and whenever, the output has the bytes of a job on one machine.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { parquetWriteBuffer } from "hyparquet-writer";
import { beforeAll, beforeEach, expect, it, vi } from "vitest";
import { lines, run, write } from "../cli-run.ts";
import { whereThereIs } from "../support/where-there-is.ts";
import { missing, modelFolder } from "../text/support.ts";
import { noRedis, type RedisServer, startRedis } from "./support/redis.ts";
import {
  begin,
  endWorkers,
  finished,
  heldUntil,
  pairs,
  path,
  type Running,
  serveRanges,
  storeThat,
  until,
} from "./support/score-queue.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const suite = missing === "" ? whereThereIs : (name: string) => it.skip(`${name}${missing}`);

const asParquet = (rows: typeof pairs): Uint8Array => {
  const columnData = (["id", "prompt", "chosen", "rejected"] as const).map((name) => ({
    name,
    data: rows.map((row) => row[name]),
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 3 }));
};

suite("Redis", noRedis, () => {
  const model = modelFolder();
  let redis: RedisServer;
  /** The pairs in every way that a file may hold them: as lines that stand where they are, packed, as an array, as columns. */
  let files: string[] = [];
  let data = "";
  let alone: Buffer;
  let aloneOfFiles: Buffer;

  const plan = (out: string, input: readonly string[] = [data]): Running =>
    begin(...input, "--model", model, "--out", path(out), "--shard-size", "2", "--queue", redis.url);
  const work = (...more: string[]): Running => begin("--work", redis.url, "--threads", "1", ...more);
  const onOneMachine = (input: readonly string[], out: string): Buffer => {
    const { status, stderr } = run(["score", ...input, "--model", model, "--out", path(out), "--shard-size", "2"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return readFileSync(path(out));
  };
  const outOf = async (planner: Running, out: string): Promise<Buffer> => {
    expect([await planner.ended, planner.said()]).toEqual([0, expect.stringContaining("rewards")]);
    expect(existsSync(path(`${out}.job`))).toBe(false);
    return readFileSync(path(out));
  };

  beforeAll(() => {
    const half = pairs.slice(0, 7).map((pair) => JSON.stringify(pair));
    data = write("data.jsonl", lines(...pairs));
    files = [
      // Blank lines count, lines may end as on Windows, and shards go over the ends of files.
      write("a.jsonl", `\ufeff${half.slice(0, 3).join("\r\n")}\r\n\r\n${half.slice(3).join("\n")}\n`),
      write("b.jsonl.gz", gzipSync(lines(...pairs.slice(7, 15)))),
      write("c.json", JSON.stringify(pairs.slice(15, 20))),
      write("d.parquet", asParquet(pairs.slice(20))),
    ];
    alone = onOneMachine([data], "alone.jsonl");
    aloneOfFiles = onOneMachine(files, "alone-files.jsonl");
  });
  beforeEach(async (context) => {
    const folder = path(`redis-${context.task.id.replace(/\W/g, "-")}`);
    mkdirSync(folder);
    redis = await startRedis(folder);
    return () => redis.stop();
  });

  it("two workers leave the bytes of one machine; two planners at once compute nothing twice", async () => {
    const planners = [plan("files.jsonl", files), plan("files.jsonl", files), plan("others.jsonl", files)];
    const waiting = () => planners.filter(({ said }) => said().includes("another planner works on this job"));
    await until(() => waiting().length === 2);
    const workers = [work(), work()];
    for (const planner of planners) {
      expect([await planner.ended, planner.said()]).toEqual([0, expect.stringContaining("rewards")]);
    }
    expect(readFileSync(path("files.jsonl")).equals(aloneOfFiles)).toBe(true);
    expect(readFileSync(path("others.jsonl")).equals(aloneOfFiles)).toBe(true);
    expect(waiting()).toHaveLength(2);
    expect(planners.filter(({ said }) => said().includes("complete since an earlier run")).length).toBe(1);
    const counts = await endWorkers(...workers);
    expect(counts.reduce((sum, count) => sum + count)).toBe(12);
  });

  it("the planner is killed, and one that waits goes on; rows with labels", async () => {
    const rows = pairs.map(({ prompt, chosen }, i) => ({ prompt, completion: chosen, label: i % 3 > 0 }));
    const labelled = write("labelled.jsonl", lines(...rows));
    const options = ["--batch-size", "2"];
    const whole = onOneMachine([labelled, ...options], "labelled-alone.jsonl");
    const worker = work("--data", heldUntil("next-waits"));
    const planner = plan("labelled-scored.jsonl", [labelled, ...options]);
    await until(() => finished("labelled-scored.jsonl", 12) > 0);
    const next = plan("labelled-scored.jsonl", [labelled, ...options]);
    await until(() => next.said().includes("another planner works on this job"));
    planner.child.kill("SIGKILL");
    write("next-waits", "");
    expect([await next.ended, next.said()]).toEqual([0, expect.stringContaining("kto")]);
    expect(readFileSync(path("labelled-scored.jsonl")).equals(whole)).toBe(true);
    expect(await endWorkers(worker)).toEqual([12]);
  });

  it("Redis is killed in the midst of a job, and comes back", async () => {
    const planner = plan("redis.jsonl");
    const worker = work("--data", heldUntil("redis-is-gone"));
    await until(() => finished("redis.jsonl", 12) > 1);
    await redis.kill();
    expect(finished("redis.jsonl", 12)).toBeLessThan(12);
    // The shard in hand is done while Redis is away.
    write("redis-is-gone", "");
    await new Promise((go) => setTimeout(go, 1000));
    await redis.restart();
    expect((await outOf(planner, "redis.jsonl")).equals(alone)).toBe(true);
    for (const { said } of [planner, worker]) expect(said()).toMatch(/waiting for it to come back.*is back/s);
    await endWorkers(worker);
  });

  it("workers with a shard in hand: one is killed, one sleeps and delivers late, one computes for longer than a lock lasts", async () => {
    const hold = (name: string, code: string) =>
      storeThat(name, `if (!existsSync(folder + "/${name}")) { mark("${name}"); ${code} }`);
    const planner = plan("workers.jsonl");
    const killed = work("--data", hold("killed", "await new Promise(() => {});"));
    const asleep = work(
      "--data",
      hold("asleep", 'while (!existsSync(folder + "/woken")) await new Promise((go) => setTimeout(go, 20));'),
    );
    // The event loop of the model's process stands still.
    const busy = work("--data", hold("busy", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 14_000);"));
    await until(() => ["killed", "asleep", "busy"].every((name) => existsSync(path(name))));
    killed.child.kill("SIGKILL");
    asleep.child.kill("SIGSTOP");
    const other = work();
    expect((await outOf(planner, "workers.jsonl")).equals(alone)).toBe(true);
    const [byBusy = 0, byOther = 0] = await endWorkers(busy, other);
    expect([byBusy > 0, byBusy + byOther]).toEqual([true, 12]);
    // Delivered again, by a worker that has lost its lock.
    write("woken", "");
    asleep.child.kill("SIGCONT");
    await until(() => asleep.said().includes("waiting for shards"));
    const [late] = await endWorkers(asleep);
    expect(late).toBe(1);
    expect((await outOf(plan("again.jsonl"), "again.jsonl")).equals(alone)).toBe(true);
  });

  it("shards that nobody can score are set aside, with their lines; the others are done, and the same command goes on", async () => {
    const start = lines(...pairs.slice(0, 10)).length + 1;
    const crash = storeThat("crash", `if (start === ${start}) process.kill(process.pid, "SIGKILL");`);
    const crashing = write("crashing.jsonl", lines(...pairs));
    const planner = plan("crashing-scored.jsonl", [crashing]);
    const worker = work("--data", crash);
    expect(await planner.ended).toBe(1);
    expect(planner.said()).toMatch(/crashing\.jsonl:11–12: the process of the model ended \(SIGKILL\)/);
    expect(planner.said()).toContain("error: 1 of 12 shards were set aside");
    expect(finished("crashing-scored.jsonl", 12)).toBe(11);
    await endWorkers(worker);
    const sound = work();
    const again = plan("crashing-scored.jsonl", [crashing]);
    expect((await outOf(again, "crashing-scored.jsonl")).equals(alone)).toBe(true);
    expect(await endWorkers(sound)).toEqual([1]);
  });

  it("a row that no tokenizer takes is not tried twice; one that is none is refused before a shard is planned", async () => {
    const messages = (content: string) => [{ role: "assistant", content }];
    const talks = pairs.slice(0, 4).map(({ prompt, chosen, rejected }, i) => ({
      prompt: [{ role: "user", content: prompt }],
      chosen: messages(chosen),
      rejected: messages(rejected),
      chat_template_kwargs: i === 2 ? { add_generation_prompt: true } : {},
    }));
    const worker = work();
    const planner = plan("talks-scored.jsonl", [write("talks.jsonl", lines(...talks))]);
    expect(await planner.ended).toBe(1);
    expect(planner.said()).toMatch(
      /talks\.jsonl:3–4: .*talks\.jsonl:3: .*add_generation_prompt: expected none, got one/,
    );
    expect(planner.said()).toContain("error: 1 of 2 shards were set aside");
    await endWorkers(worker);
    const bad = write("bad.jsonl", lines(...pairs.map((pair, i) => (i === 5 ? { ...pair, chosen: 7 } : pair))));
    const refused = plan("bad-scored.jsonl", [bad]);
    expect(await refused.ended).toBe(2);
    expect(refused.said()).toContain("bad.jsonl:6: chosen: expected a text or a list of messages, got a number");
  });

  it("Ctrl-C takes the job back; the same command goes on", async () => {
    const planner = plan("cancelled.jsonl");
    await until(() => planner.said().includes("no worker yet: dpo-kernels score --work redis://127.0.0.1:"));
    const first = work(
      "--data",
      storeThat("three", 'if (start > 600) { mark("three"); await new Promise(() => {}); }'),
    );
    await until(() => existsSync(path("three")));
    await until(() => finished("cancelled.jsonl", 12) > 0);
    planner.child.kill("SIGINT");
    expect(await planner.ended).toBe(130);
    const done = finished("cancelled.jsonl", 12);
    expect(planner.said()).toContain(
      `cancelled with ${done} shards done, which stay in ${path("cancelled.jsonl")}.job`,
    );
    first.child.kill("SIGKILL");
    // Nothing of it is left for others, but for what the first worker had in hand.
    const second = work();
    await until(() => second.said().includes("waiting for shards"));
    await new Promise((go) => setTimeout(go, 500));
    expect((await endWorkers(second))[0]).toBeLessThanOrEqual(1);
    const third = work();
    expect((await outOf(plan("cancelled.jsonl"), "cancelled.jsonl")).equals(alone)).toBe(true);
    await endWorkers(third);
  });

  it("a worker that sees the data over HTTP asks for the bytes of its shards", async () => {
    const server = await serveRanges();
    const planner = plan("http.jsonl", files);
    const worker = work("--data", `${server.url}/?signature=1`, "--model", model);
    expect((await outOf(planner, "http.jsonl")).equals(aloneOfFiles)).toBe(true);
    expect(await endWorkers(worker)).toEqual([12]);
    const asked = server.answers.filter(({ range }) => range !== "");
    expect(new Set(asked.map(({ status }) => status))).toEqual(new Set([206]));
    // Of lines, each byte once.
    const bytes = asked
      .filter(({ name }) => name === "a.jsonl")
      .map(({ range }) => range.slice(6).split("-").map(Number));
    const sum = bytes.reduce((total, [from = 0, to = 0]) => total + to - from + 1, 0);
    expect(sum).toBeLessThanOrEqual(readFileSync(path("a.jsonl")).length);
    await server.close();
  });

  it("a worker that lacks something says so, ends and leaves its shard to others", async () => {
    const other = path("other-model");
    mkdirSync(`${other}/onnx`, { recursive: true });
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"]) {
      writeFileSync(`${other}/${name}`, readFileSync(`${model}/${name}`));
      chmodSync(`${other}/${name}`, 0o644);
    }
    writeFileSync(`${other}/config.json`, `${readFileSync(`${model}/config.json`)}\n`);
    mkdirSync(path("elsewhere"));
    writeFileSync(path("elsewhere/data.jsonl"), lines(...pairs.slice(1), ...pairs.slice(0, 1)));
    const planner = plan("lacking.jsonl");
    const lacking: [string[], string][] = [
      [
        ["--data", path("nowhere")],
        "nowhere/data.jsonl: no such file; --data says where this worker sees the job's data",
      ],
      [["--data", path("elsewhere")], "holds other rows here than where the job was planned"],
      [["--model", path("nowhere")], "nowhere: no such folder; --model and --reference say where this worker has them"],
      [["--model", other], "the job was planned with another model"],
    ];
    const workers = lacking.map(([more]) => work(...more));
    for (const [i, [, message]] of lacking.entries()) {
      const { ended, said } = workers[i] as Running;
      expect([await ended, said()]).toEqual([2, expect.stringContaining(message)]);
      expect(said()).toContain("error: --work: ");
    }
    const worker = work();
    expect((await outOf(planner, "lacking.jsonl")).equals(alone)).toBe(true);
    expect(await endWorkers(worker)).toEqual([12]);
  });

  it("refuses in words of flags", () => {
    const args = ["score", data, "--model", model, "--out", path("x.jsonl")];
    const withoutPeer = `data:text/javascript,${encodeURIComponent(`import { registerHooks } from "node:module";
registerHooks({ resolve(name, context, next) {
  if (name !== "bullmq") return next(name, context);
  throw Object.assign(new Error("Cannot find package 'bullmq'"), { code: "ERR_MODULE_NOT_FOUND" });
} });`)}`;
    const cases: [string[], string[], number, string][] = [
      [[...args, "--queue", "localhost:6379"], [], 2, "error: --queue: expected redis://host:port, got localhost:6379"],
      [
        [...args, "--queue", "redis://user:secret@127.0.0.1:1"],
        [],
        1,
        "error: --queue: redis://127.0.0.1:1: connect ECONNREFUSED",
      ],
      [["score", "--work", "redis://127.0.0.1:1"], [], 1, "error: --work: redis://127.0.0.1:1: connect ECONNREFUSED"],
      [
        [...args, "--queue", redis.url],
        ["--import", withoutPeer],
        1,
        "error: --queue needs bullmq: npm install bullmq ioredis",
      ],
      [[...args, "--data", "elsewhere"], [], 2, "error: --data: is for workers, beside --work"],
      [[...args, "--work", redis.url], [], 2, "error: --work: takes its DATA from the planner"],
    ];
    for (const [words, flags, status, message] of cases) {
      const { status: ended, stderr } = run(words, { flags });
      expect([words.join(" "), ended, stderr]).toEqual([words.join(" "), status, expect.stringContaining(message)]);
    }
  });
});
