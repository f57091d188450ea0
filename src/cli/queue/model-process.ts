// The models, in a process of their own: while they compute, the worker's event loop is free to renew the lock of its shard, and a
// process that dies of a shard takes no worker with it.

import { type ChildProcess, fork } from "node:child_process";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Fingerprint } from "../fingerprint.ts";
import { differences } from "../job-folder.ts";
import { toJson } from "../report.ts";
import { fingerprintOfModels } from "../score/run.ts";
import { openScorers } from "../score/score-rows.ts";
import type { Shard } from "../score/shards.ts";
import { asError, type Problem, problemOf, unfit } from "./problems.ts";
import { openReader, type ShardRows } from "./read-rows.ts";
import type { Task } from "./task.ts";

/** Where this machine has what the planner names otherwise, and what it computes with. */
export interface Places {
  readonly model: string | undefined;
  readonly reference: string | undefined;
  readonly data: string | undefined;
  readonly threads: number | undefined;
}

/** A shard's result as JSON: numbers that are none keep their names on every way that it takes. */
type Answer = { readonly shard: string } | { readonly problem: Problem };

/** The command that the process runs; not for users. */
const command = "score-models";

export interface ModelProcess {
  /** One task at a time. Rejects with an error that `problemOf` knows. */
  run(task: Task): Promise<string>;
  end(): void;
}

/** A process that is started with its first task, and again after it has died. */
export function modelProcess(places: Places): ModelProcess {
  let child: ChildProcess | undefined;
  let models = "";
  /** Those that have lived long enough to answer. */
  const proven = new WeakSet<ChildProcess>();
  const start = (): ChildProcess => {
    const begun = fork(process.argv[1] ?? "", [command, JSON.stringify(places)], { stdio: ["ignore", 2, 2, "ipc"] });
    const lose = (): void => {
      if (child === begun) child = undefined;
    };
    // Which of them comes first is not said. Without a listener an error would end the worker.
    for (const end of ["disconnect", "exit", "error"]) begun.on(end, lose);
    return begun;
  };
  const ask = (task: Task): Promise<string> =>
    new Promise((resolve, reject) => {
      child ??= start();
      const own = child;
      const settle = (act: () => void): void => {
        own.removeAllListeners("message");
        own.off("close", died);
        own.off("error", failed);
        act();
      };
      const failed = (error: Error): void =>
        settle(() => reject(new Error(`the process of the model failed: ${error.message}`)));
      const died = (code: number | null, signal: string | null): void =>
        settle(() => reject(new Error(`the process of the model ended (${signal ?? `status ${code}`})`)));
      // Behind the last of its messages, which its exit is not.
      own.once("close", died);
      own.once("error", failed);
      own.once("message", (answer: Answer) =>
        settle(() => {
          proven.add(own);
          if ("shard" in answer) resolve(answer.shard);
          else reject(asError(answer.problem));
        }),
      );
      own.send(task, (error) => {
        // It died while it had nothing to do, which is heard of later; the task never reached it. One that dies before its first
        // answer says how it ended.
        if (!error || !proven.has(own)) return;
        if (child === own) child = undefined;
        settle(() => ask(task).then(resolve, reject));
      });
    });
  return {
    run(task) {
      // Another job's models: a process that ends gives back the memory of the last ones for certain.
      if (models !== keyOf(task)) {
        child?.kill("SIGKILL");
        child = undefined;
      }
      models = keyOf(task);
      return ask(task);
    },
    end: () => void child?.kill("SIGKILL"),
  };
}

const keyOf = ({ job, fingerprint }: Task): string => JSON.stringify([job, fingerprint]);

/** Adds the command that the process runs. */
export function addModelProcess(program: Command): void {
  program.command(command, { hidden: true }).argument("<places>").action(serve);
}

function serve(words: string): void {
  const places = JSON.parse(words) as Places;
  const read = openReader(places.data);
  let models: ReturnType<typeof openModels> | undefined;
  // Ctrl-C reaches every process of the terminal; the worker says when this one ends.
  for (const name of ["SIGINT", "SIGTERM"]) process.on(name, () => {});
  process.once("disconnect", () => process.exit());
  const answer = async (task: Task): Promise<Answer> => {
    try {
      models ??= openModels(task, places);
      const score = await models;
      return { shard: toJson(await score(await read(task))) };
    } catch (error) {
      return { problem: problemOf(error) };
    }
  };
  process.on("message", (task: Task) => void answer(task).then((found) => process.send?.(found)));
}

/** The models of the first task, which every other one of this process has too. */
async function openModels({ job, fingerprint }: Task, places: Places): Promise<(shard: ShardRows) => Promise<Shard>> {
  const own = { ...placed(job, places), threads: places.threads };
  await checkModels(own, fingerprint);
  let current: ShardRows | undefined;
  const source = { place: (row: number) => current?.place(row) ?? "" };
  const scoreRows = await openScorers(own, source).catch((error: Error) => {
    throw "exitCode" in error ? unfit(error.message) : error;
  });
  return (shard) => {
    current = shard;
    return scoreRows(shard.rows);
  };
}

function placed(job: Task["job"], { model, reference }: Places): Task["job"] {
  return {
    ...job,
    ...(model !== undefined && { model: resolve(model) }),
    ...(job.reference !== undefined && reference !== undefined && { reference: resolve(reference) }),
  };
}

/** Refuses what would compute something else than the planner means. */
async function checkModels(job: Task["job"], planned: Fingerprint): Promise<void> {
  const own = await fingerprintOfModels(job).catch((error: Error) => {
    throw unfit(`${error.message}; --model and --reference say where this worker has them`);
  });
  const other = differences(planned, { ...planned, ...own });
  if (other !== "") throw unfit(`the job was planned with ${other}`);
}
