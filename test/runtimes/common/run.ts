// Runs one file of the common tests by vitest's own runner, in whatever engine this is.

import type { RunnerTask } from "vitest";
import { startTests } from "vitest/internal/browser";
import type { VitestRunner } from "vitest/runtime";
import { sampleOf } from "./sample.ts";

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

type Named = readonly [name: string, task: RunnerTask];

/** The tests of a file on WebGPU, by their whole names. */
const casesIn = (tasks: readonly RunnerTask[], above: readonly string[] = []): Named[] =>
  tasks.flatMap((task): Named[] => {
    const titles = [...above, task.name];
    const name = titles.join(" > ");
    if (task.type === "suite") return casesIn(task.tasks, titles);
    return onWebGpu.test(name) ? [[name, task]] : [];
  });

/** What becomes of the tests on WebGPU, or of a sample of them, in the file that `load` imports. */
export async function runFile(load: () => Promise<unknown>, isSample = false): Promise<Outcome[]> {
  // Where vitest's own modules look.
  Object.assign(globalThis, { __vitest_worker__: { config, ctx: {} } });
  const isLeftOut = new Set<RunnerTask>();
  const runner = {
    config,
    importFile: load,
    onCollected(files: readonly { tasks: RunnerTask[] }[]) {
      const cases = files.flatMap(({ tasks }) => casesIn(tasks));
      const sample = sampleOf(cases.map(([name]) => name));
      for (const [name, task] of isSample ? cases : []) {
        if (sample.has(name)) continue;
        isLeftOut.add(task);
        task.mode = "skip";
      }
    },
  } as unknown as VitestRunner;
  const files = await startTests([{ filepath: "/file", testNamePattern: onWebGpu }], runner);
  return files.flatMap((file) => [
    ...failuresAround(file, []),
    ...casesIn(file.tasks)
      .filter(([, task]) => !isLeftOut.has(task))
      .map(([name, task]) => outcomeOf(name, task)),
  ]);
}

const outcomeOf = (name: string, { result, mode }: RunnerTask): Outcome => ({
  name,
  state: result?.state ?? mode,
  error: result?.errors?.map(textOf).join("\n"),
});

/** Those of hooks, and of loading a file. */
function failuresAround(task: RunnerTask, titles: readonly string[]): Outcome[] {
  if (task.type !== "suite") return [];
  const own = (task.result?.errors ?? []).map((error) => ({
    name: [...titles, "around its cases"].join(" > "),
    state: "fail",
    error: textOf(error),
  }));
  return [...own, ...task.tasks.flatMap((inner) => failuresAround(inner, [...titles, inner.name]))];
}

const textOf = ({ message, diff, stack }: { message?: string; diff?: string; stack?: string }): string =>
  [message, diff, stack].filter(Boolean).join("\n");
