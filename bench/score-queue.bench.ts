// dpo-kernels score through the queue: pairs a second on one and on two workers, one thread each; processor time a shard, by who spends
// it, which a busy machine leaves as it is; memory while the job goes on. Wants Debian's redis-server, and the model of ../shared.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRedis } from "../test/runtimes/support/redis.ts";
import { modelFolder } from "../test/text/support.ts";
import { save } from "./report.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const pairs = Number(process.env["BENCH_PAIRS"] ?? 20_000);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const folder = mkdtempSync(join(tmpdir(), "score-queue-"));

const things = ["cat", "dog", "ball", "tree", "bird", "boy", "girl", "car"];
const data = (count: number): string => {
  const file = join(folder, `${count}.jsonl`);
  const row = (i: number) => ({
    prompt: ` Once upon a time there was a ${things[i % 8]} and a ${things[(i >> 3) % 8]}, number ${i}. One day`,
    chosen: ` they ${"very ".repeat(i % 9)}much wanted to play in the park with the ${things[(i >> 6) % 8]}.`,
    rejected: ` the ${things[(3 * i) % 8]} was sad ${"and sad ".repeat(i % 7)}and went home.`,
  });
  writeFileSync(file, Array.from({ length: count }, (_, i) => `${JSON.stringify(row(i))}\n`).join(""));
  return file;
};

const begin = (...args: string[]): ChildProcess =>
  spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "src/cli/main.ts", "score", ...args], {
    cwd: root,
    stdio: "ignore",
  });

const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

/** Milliseconds of a processor; the kernel counts hundredths of a second. */
const spentBy = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
};

const childrenOf = (pid: number): number[] =>
  execFileSync("ps", ["-o", "pid=", "--ppid", String(pid)])
    .toString()
    .trim()
    .split(/\s+/)
    .map(Number);

/** Runs a job; times are between a tenth and nine tenths of its shards, so that no start is in them. */
async function timed(shardSize: number, count: number, workers: number, ...more: string[]) {
  const own = mkdtempSync(join(folder, "job-"));
  mkdirSync(join(own, "redis"));
  const redis = await startRedis(join(own, "redis"));
  const out = join(own, "out.jsonl");
  const hands = Array.from({ length: workers }, () => begin("--work", redis.url, "--threads", "1", ...more));
  const queue = workers === 0 ? ["--threads", "1"] : ["--queue", redis.url];
  const planner = begin(
    data(count),
    "--model",
    modelFolder(),
    "--out",
    out,
    "--shard-size",
    String(shardSize),
    ...queue,
  );
  const shards = Math.ceil(count / shardSize);
  const ended = new Promise((resolve) => planner.once("exit", resolve));
  const at = new Map<
    number,
    { time: number; done: number; memory: Record<string, number>; spent: Record<string, number> }
  >();
  const marks = [0.1, 0.5, 0.9];
  while (planner.exitCode === null && at.size < marks.length) {
    await Promise.race([ended, new Promise((go) => setTimeout(go, 20))]);
    const done = existing(`${out}.job`);
    const mark = marks[at.size] as number;
    if (done < mark * shards) continue;
    const [hand] = hands;
    const pids: Record<string, number> = { planner: planner.pid as number, redis: redis.pid() as number };
    if (hand) Object.assign(pids, { worker: hand.pid, model: childrenOf(hand.pid as number)[0] });
    const of = (measure: (pid: number) => number) =>
      Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, measure(pid)]));
    at.set(mark, { time: performance.now(), done, memory: of(residentOf), spent: of(spentBy) });
  }
  await ended;
  for (const hand of hands) hand.kill("SIGINT");
  await Promise.all(hands.map((hand) => new Promise((resolve) => hand.once("exit", resolve))));
  await redis.stop();
  const [first, last] = [at.get(0.1), at.get(0.9)];
  if (!first || !last) throw new Error("the job was over before it was looked at");
  const seconds = (last.time - first.time) / 1000;
  const shardsBetween = last.done - first.done;
  // Of one worker: with two, each does a part of the shards.
  const spent = Object.fromEntries(
    Object.entries(last.spent).map(([name, ms]) => [name, (ms - (first.spent[name] ?? 0)) / shardsBetween]),
  );
  const memory = Object.fromEntries([...at].map(([mark, { memory }]) => [`${100 * mark} %`, memory]));
  return { pairsPerSecond: (shardSize * shardsBetween) / seconds, spent, memory };
}

const existing = (job: string): number => {
  try {
    return readdirSync(job).filter((name) => /^\d+\.json$/.test(name)).length;
  } catch {
    return 0;
  }
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] as number;

const rates: { one: number; two: number; ratio: number }[] = [];
let whole: Awaited<ReturnType<typeof timed>> | undefined;
for (let round = 0; round < rounds; round++) {
  whole = await timed(256, pairs, 1);
  const two = await timed(256, pairs, 2);
  const [a, b] = [whole.pairsPerSecond, two.pairsPerSecond];
  rates.push({ one: a, two: b, ratio: b / a });
  console.table(rates.at(-1));
}
// Workers that wait for something else, such as a GPU: a second for each shard, whatever the processors have to do.
const waiting = join(folder, "waiting.mjs");
writeFileSync(
  waiting,
  `import { open, stat } from "node:fs/promises";
const path = (name) => ${JSON.stringify(`${folder}/`)} + name;
export default {
  size: async (name) => (await stat(path(name))).size,
  read: async (name, start, end) => {
    await new Promise((go) => setTimeout(go, 1000));
    const file = await open(path(name));
    const { buffer } = await file.read(new Uint8Array(end - start), 0, end - start, start);
    await file.close();
    return buffer;
  },
};
`,
);
const waits: { one: number; two: number; ratio: number }[] = [];
for (let round = 0; round < rounds; round++) {
  const one = (await timed(4, 120, 1, "--data", waiting)).pairsPerSecond;
  const two = (await timed(4, 200, 2, "--data", waiting)).pairsPerSecond;
  waits.push({ one, two, ratio: two / one });
  console.table(waits.at(-1));
}
// Small shards: what the models do is little, so that the queue shows.
const small = await timed(4, 4000, 1);
const figures = {
  pairs,
  rates,
  ratio: median(rates.map(({ ratio }) => ratio)),
  waiting: waits,
  millisecondsOfShard: { "256 pairs": whole?.spent, "4 pairs": small.spent },
  megabytes: whole?.memory,
};
console.log(JSON.stringify(figures, null, 2));
if (process.env["BENCH_SAVE"]) save("score-queue", figures);
rmSync(folder, { recursive: true });
