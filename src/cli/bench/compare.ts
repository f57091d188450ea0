// dpo-kernels bench --compare: two sets of results, or two builds of the package that take turns in the same rounds.

import { cpSync, existsSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Library } from "../../bench/candidates/library.ts";
import {
  type BenchResult,
  type Candidate,
  type Comparison,
  compareBuilds,
  compareResults,
  oursOfBuild,
  type Skipped,
} from "../../bench.ts";
import { fileProblem, refusal } from "../refusal.ts";
import { type HereOptions, runHere } from "./here.ts";
import { temporaryFolder } from "./processes.ts";
import { readResults } from "./read-results.ts";

export type CompareFlags = Pick<HereOptions, "quick" | "cases" | "seed" | "processorTime">;

/** Milliseconds of a case's rounds in one look: to be sure of a difference takes more rounds than to see a time. */
const budgets = { quick: 1000, whole: 4000 } as const;

/**
 * Where noise hides what a figure has become, its case is measured again, so often at most: every time backends are made anew, whose
 * memory then lies elsewhere.
 */
const LOOKS = 6;

/** Compares what two paths name: builds of the package, or results. Without a second path this build is compared with the first. */
export async function compare(
  [before, after]: readonly [string, string | undefined],
  flags: CompareFlags,
): Promise<Comparison> {
  const [first, second] = [entryOf(before), after === undefined ? ownEntry : entryOf(after)];
  if (first !== undefined && second !== undefined) {
    const libraries = [
      { mark: before, library: await load(first) },
      // One folder given twice is two builds, of the same files: a comparison that should find nothing.
      { mark: after === before ? `${after} again` : (after ?? "this build"), library: await load(second, first) },
    ];
    return compareLoaded(libraries, flags);
  }
  if (after === undefined) throw refusal(`${before}: expected a folder of the package, with dist/index.js, got none`);
  if (first !== undefined || second !== undefined) {
    throw refusal(`--compare: expected two builds or results of both, got a build and results: ${before}, ${after}`);
  }
  return compareResults(await readResults([before]), await readResults([after]));
}

/** Whether it is builds that these paths name: both of them, or one alone that the package is compared with. */
export const namesBuilds = (paths: readonly string[]): boolean =>
  paths.length === 1 || paths.some((path) => entryOf(path) !== undefined);

/** The entry of the package in a folder; undefined where there is none. */
function entryOf(path: string): string | undefined {
  return [join(path, "dist/index.js"), join(path, "index.js")].find((file) => existsSync(file));
}

/** That of this build: what it is compared by is its entry, as of the other one, not what is bundled with the command. */
const ownEntry = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../index.ts" : "./index.js", import.meta.url),
);

/**
 * What of a build is compared: the backends of one thread, and the optimisers where it has them. The files of `other`, loaded already, are
 * loaded from a copy: as the same modules they would share what the engine's compiler has learned, which favours those that come first.
 * measured: small calls of the second one took 6 to 13 % longer, and were called slower in four comparisons of eight.
 */
async function load(given: string, other?: string): Promise<Library> {
  const isLoaded = other !== undefined && realpathSync(other) === realpathSync(given);
  const entry = isLoaded ? copyOf(given) : given;
  const index = pathToFileURL(entry).href;
  try {
    const { createWasm, createJs } = await import(index);
    // Many a package has an index.js.
    if (typeof createWasm !== "function" || typeof createJs !== "function") {
      throw new Error("expected a build of the package, with createWasm and createJs, got another module");
    }
    const trainUrl = new URL("train.js", index);
    const train = existsSync(trainUrl) ? { train: await import(trainUrl.href) } : {};
    return { createWasm, createJs, index, ...train };
  } catch (error) {
    throw fileProblem(given, error);
  }
}

/** The entry in a folder of its own, with all that lies beside it. */
function copyOf(entry: string): string {
  const folder = join(temporaryFolder(), "build");
  cpSync(dirname(entry), folder, { recursive: true, filter: (path) => basename(path) !== "node_modules" });
  // Outside a package Node would take its files for CommonJS first.
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return join(folder, basename(entry));
}

/** Pools and GPUs differ more from turn to turn than builds do. */
const isCompared = (one: Candidate | Skipped): boolean => !("name" in one) || /^(plain|relaxed|js)\b/.test(one.name);

async function compareLoaded(
  builds: readonly { readonly mark: string; readonly library: Library }[],
  { cases, seed = 1, ...flags }: CompareFlags,
): Promise<Comparison> {
  const lists = builds.map(({ mark, library }) => oursOfBuild(library, `@${mark}`));
  const candidates = (await Promise.all(lists)).flat().filter(isCompared);
  const [before = "", after = ""] = builds.map(({ mark }) => mark);
  const budget = flags.quick ? budgets.quick : budgets.whole;
  const results: BenchResult[] = [];
  for (let look = 0; ; look++) {
    const open = results.length === 0 ? cases : unclear(compared());
    results.push(await runHere({ ...flags, cases: open, seed: seed + look, candidates, budget, rounds: 40 }));
    if (look === LOOKS - 1 || unclear(compared()).length === 0) return compared();
  }

  function compared(): Comparison {
    return compareBuilds(results, [before, after], { looks: LOOKS });
  }
}

const unclear = ({ changes }: Comparison): string[] => [
  ...new Set(changes.flatMap((change) => (change.verdict === "unclear" ? [change.case] : []))),
];
