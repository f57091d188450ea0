// Six kinds of test files. `npm test` runs those of `node` and `alone`, `npm run test:engines` those of `heavy`, `slow`, `programs` and
// `engines` (scripts/test.ts); `vitest run --project node` runs one kind, `vitest run test/some.test.ts` a file of any.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

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

/** Programs in other runtimes, as many at once as there are cores: each waits for a process as much as it works. */
const programs = [
  "test/runtimes/{bun,deno,edge-examples,node,packaging,peft,score-queue,servers,typescript,webgpu-deno,workerd}.test.ts",
];

/** Browsers, builds and loads, one at a time: their processes fill the machine by themselves, and have deadlines. */
const engines = ["test/runtimes/**/*.test.ts"];

/** What is begun first, so that no core waits for another's last file. measured: each takes one to four minutes. */
const longest = [
  ...[
    "slow-math",
    "slow-cli-score",
    "slow-training-curves",
    "slow-trl-runs",
    "score-queue",
    "webgpu/trainer",
    "slow-fuzz",
  ],
  ...["slow-parquet-fuzz", "slow-linear-memory", "losses-extremes", "hostile-arrays", "pool/quiet", "training-curves"],
  ...[
    "real-model",
    "linear-losses",
    "logits-losses",
    "properties",
    "logits-transform",
    "cli",
    "cli-train",
    "cli-words",
    "trl-runs",
  ],
];

/** The longest files first, whatever their project; then as vitest has them. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return rank < 0 ? longest.length : rank;
    };
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b));
  }
}

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
      project("programs", programs, [], true),
      project("engines", engines, programs, false),
    ],
    sequence: { sequencer: LongestFirst },
  },
});
