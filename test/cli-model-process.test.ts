// The process of the models beside a worker of a scoring: one that dies while it has nothing to do takes no shard with it, and never
// the worker.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { modelProcess } from "../src/cli/queue/model-process.ts";
import type { Task } from "../src/cli/queue/task.ts";
import { folder, write } from "./cli-run.ts";

const places = { model: undefined, reference: undefined, data: undefined, threads: undefined };
const task = (digest: string) => ({ job: {}, fingerprint: {}, digest }) as unknown as Task;

/** Ends a process; when this returns it is dead, and this process has had no chance to hear of it. */
function killUnheard(pid: number): void {
  process.kill(pid, "SIGKILL");
  // The last of its threads closes the channel.
  const isDead = () =>
    /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8")) && readdirSync(`/proc/${pid}/task`).length <= 1;
  while (!isDead()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}

const [, program = ""] = process.argv;
const uncaught: unknown[] = [];
const note = (error: unknown): void => void uncaught.push(error);
beforeAll(() => void process.on("uncaughtException", note));
afterAll(() => {
  process.argv[1] = program;
  process.off("uncaughtException", note);
});

const run = (code: string) => {
  // The command forks its own file.
  write("models.mjs", code);
  process.argv[1] = join(folder, "models.mjs");
  return modelProcess(places);
};

test.runIf(process.platform === "linux")("a process that died unheard, while it was idle, is replaced", async () => {
  const models = run(`process.on("message", () => process.send({ shard: String(process.pid) }));`);
  const first = await models.run(task("a"));
  expect(await models.run(task("b"))).toBe(first);
  killUnheard(Number(first));
  const second = await models.run(task("c"));
  expect(second).not.toBe(first);
  expect(await models.run(task("d"))).toBe(second);
  models.end();
  expect(uncaught).toEqual([]);
});

test("one that ends with a task in hand, or before its first, says how; the next task finds another", async () => {
  const ending = run(
    `process.on("message", ({ digest }) => digest === "bad" ? process.exit(3) : process.send({ shard: digest }));`,
  );
  for (let k = 0; k < 2; k++) {
    expect(await ending.run(task("good"))).toBe("good");
    await expect(ending.run(task("bad"))).rejects.toThrow("the process of the model ended (status 3)");
  }
  ending.end();
  const never = run(`process.exit(4);`);
  for (let k = 0; k < 2; k++) {
    await expect(never.run(task("a"))).rejects.toThrow("the process of the model ended (status 4)");
  }
  expect(uncaught).toEqual([]);
});
