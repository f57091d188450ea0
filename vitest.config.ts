// Five kinds of test files. `npm test` runs those of `node` and `alone`, `npm run test:engines` those of `heavy`, `slow` and `engines`
// (scripts/test.ts); `vitest run --project node` runs one kind, `vitest run test/some.test.ts` a file of any.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Every process that a test starts, and every file's own, loads the same sources: Node keeps what it compiled, by their content.
// measured: a command line takes 0.40 s of the processor instead of 0.95.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("build/compile-cache", import.meta.url));

/** What measures a process's memory or waits for a time to pass: others at its side would be measured too. */
const alone = ["test/{linear,logits}-memory.test.ts", "test/pool/{memory,timeout}.test.ts"];

/** What takes a minute or more each, a software GPU's shaders most of all. measured: together more than half of all of Node's tests. */
const heavy = [
  "test/webgpu/**/*.test.ts",
  "test/pool/{changing-arrays,quiet}.test.ts",
  "test/{collate-empty,linear-losses,logits-arrays,logits-half-bits,logits-losses,logits-transform}.test.ts",
  "test/{linear-accumulate,logits-nan,losses-beyond,losses-extremes,losses-nan,out,policy-is-reference}.test.ts",
  "test/{sequence-logps-grad,zero-factors}.test.ts",
  "test/{api-reference,cli-rows,cli-score*,cli-train-model,cli-words,text/real-model}.test.ts",
  "test/{linear-shapes,logits-accuracy,logits-half,trl-runs}.test.ts",
  "test/{hostile-arrays,logits-fuzz,properties,properties-memory,real-model,training-curves}.test.ts",
];

/** Exhaustive tests, for minutes each. */
const slow = ["test/**/slow-*.test.ts"];

/** Other engines, one at a time: their processes fill the machine by themselves, and have deadlines. */
const engines = ["test/runtimes/**/*.test.ts"];

/** A call that hangs is ended; one on a busy machine, with a software GPU beside it, is waited for. */
const patience = 60_000;

const project = (name: string, include: string[], exclude: string[], parallel: boolean) => ({
  test: {
    name,
    include,
    exclude: ["**/node_modules/**", ...exclude],
    testTimeout: patience,
    hookTimeout: patience,
    // vitest leaves a core for itself, which is half of a machine of two.
    ...(parallel ? { maxWorkers: availableParallelism() } : { fileParallelism: false }),
  },
});

export default defineConfig({
  test: {
    projects: [
      project("node", ["test/**/*.test.ts"], [...alone, ...heavy, ...slow, ...engines], true),
      project("alone", alone, slow, false),
      project("heavy", heavy, slow, true),
      project("slow", slow, [], true),
      project("engines", engines, [], false),
    ],
  },
});
