// Runs one file of the common tests by vitest's own runner, in whatever engine this is.

import type { RunnerTask } from "vitest";
import { startTests } from "vitest/internal/browser";
import type { VitestRunner } from "vitest/runtime";

export interface Outcome {
  name: string;
  state: string;
  error?: string | undefined;
}

const onWebGpu = /webgpu/;

const config = {
  root: "/",
  // A result comes back on a tick of the engine, some 12 ms in Deno and up to 100 in Firefox: cases wait for it together.
  sequence: { concurrent: true, hooks: "stack", setupFiles: "list", seed: 0 },
  maxConcurrency: 16,
  taskTitleValueFormatTruncate: 40,
  snapshotOptions: { updateSnapshot: "none" },
  setupFiles: [],
  tags: [],
};

/** What becomes of the tests on WebGPU, in the file that `load` imports. */
export async function runFile(load: () => Promise<unknown>): Promise<Outcome[]> {
  // Where vitest's own modules look.
  Object.assign(globalThis, { __vitest_worker__: { config, ctx: {} } });
  const runner = { config, importFile: load } as unknown as VitestRunner;
  const files = await startTests([{ filepath: "/file", testNamePattern: onWebGpu }], runner);
  return files.flatMap((file) => [...ownFailures(file, []), ...file.tasks.flatMap((task) => outcomesOf(task, []))]);
}

function outcomesOf(task: RunnerTask, above: string[]): Outcome[] {
  const titles = [...above, task.name];
  if (task.type === "suite") return [...ownFailures(task, titles), ...task.tasks.flatMap((t) => outcomesOf(t, titles))];
  const name = titles.join(" > ");
  const { state = task.mode, errors } = task.result ?? {};
  return onWebGpu.test(name) ? [{ name, state, error: errors?.map(textOf).join("\n") }] : [];
}

/** Those of a suite's hooks, and of loading a file. */
const ownFailures = ({ result }: RunnerTask, titles: string[]): Outcome[] =>
  (result?.errors ?? []).map((error) => ({
    name: [...titles, "around its cases"].join(" > "),
    state: "fail",
    error: textOf(error),
  }));

const textOf = ({ message, diff, stack }: { message?: string; diff?: string; stack?: string }): string =>
  [message, diff, stack].filter(Boolean).join("\n");
