// dpo-kernels bench: how fast this package is here, beside others, and how exact.

import { type Command, Option } from "commander";
import { selectCases } from "../bench/cases/index.ts";
import { type BenchResult, type Comparison, ours } from "../bench.ts";
import { compare, namesBuilds } from "./bench/compare.ts";
import { comparisonText } from "./bench/compare-table.ts";
import { runElsewhere, servePage } from "./bench/elsewhere.ts";
import { checkFlags, type Way } from "./bench/flags.ts";
import { peersHere, runHere } from "./bench/here.ts";
import { readResults } from "./bench/read-results.ts";
import { writeBenchPage } from "./bench/report/page.ts";
import { createSaver, type Format, formats, textOf } from "./bench/results.ts";
import { chooseRuntimes } from "./bench/runtimes.ts";
import { toText } from "./bench/table.ts";
import { countOf, portOf } from "./option-values.ts";
import { checkPageName } from "./page.ts";
import { refusal } from "./refusal.ts";
import { toJson } from "./report.ts";

interface BenchFlags {
  quick?: true;
  cases?: string[];
  seed: number;
  runtimes?: string;
  page?: true | number;
  peers: boolean;
  processorTime?: true;
  out?: string;
  format?: Format;
  report?: string;
  compare?: string[];
  against?: string;
  failOnSlower?: true;
}

const examples = `
Examples:
  dpo-kernels bench --quick                                 a look, in seconds
  dpo-kernels bench --out results                           everything, and a file of all that was measured
  dpo-kernels bench --runtimes all --out results            in every runtime that is found, browsers too
  dpo-kernels bench --runtimes node=/opt/node20/bin/node,deno,firefox
  dpo-kernels bench --page                                  a page to open by hand
  dpo-kernels bench --cases 'pairs/*' logits/both/64x1000   some cases; a name is that case of any shape
  dpo-kernels bench --quick --format bencher > metrics.json
  dpo-kernels bench --report bench.html results             a page of pictures from results
  dpo-kernels bench --compare old/results new/results       what has become slower, and how sure that is
  dpo-kernels bench --quick --against ../released           this build beside another, in the same rounds`;

/** Adds the command `bench`. */
export function addBench(program: Command): void {
  program
    .command("bench")
    .description(
      "How fast the losses are here, and how exact: checked against float64, then timed in interleaved rounds.",
    )
    .option("--quick", "few cases, small shapes, few rounds")
    .option("--cases <names...>", "cases or patterns with *, such as 'logits/*'; {a,b} stands for either")
    .option("--seed <number>", "of the order in the rounds", countOf, 1)
    .option(
      "--runtimes <names>",
      "in these, with commas, each with =PATH or as it is found: all, node, deno, …",
      listOf,
    )
    .option("--page [port]", "serve a page that measures in the browser where it is opened", portOf)
    .option("--no-peers", "this package alone, not the libraries that are installed beside it")
    .option("--processor-time", "count the processor's time: steadier where others are at work, but no result to quote")
    .option("--out <folder>", "write bench-<runtime><major> into it")
    .addOption(
      new Option("--format <name>", "of the file, or of what is printed in place of the table").choices(formats),
    )
    .argument("[results...]", "with --report: results to draw, files or folders of them, in place of a measurement")
    .option("--report <page>", "write a page of pictures, a name ending in .html")
    .option(
      "--compare <paths...>",
      "two results, or folders of them, or two folders of the package: what is slower, what faster, and how sure",
    )
    .option("--against <folder>", "this package beside another build of it, in the same rounds")
    .option("--fail-on-slower", "with --compare or --against: exit status 1 where something is slower")
    .addHelpText("after", examples)
    .action(async (paths: string[], flags: BenchFlags, command: Command) => {
      const { quick, cases, seed, processorTime, page, peers, runtimes, report } = flags;
      checkFlags(wayOf(paths, flags), command, paths);
      checkPageName(report);
      if (flags.compare || flags.against !== undefined) return showComparison(flags);
      if (paths.length > 0) return drawResults(paths, report);
      // What is wrong with them is said before anything is started.
      selectCases({ patterns: cases, quick: quick ?? false });
      if (page !== undefined || runtimes !== undefined) return elsewhere(flags);
      const show = await createShow(flags);
      const others = peers ? await peersHere() : [];
      const result = await runHere({ quick, cases, seed, processorTime, candidates: [...(await ours()), ...others] });
      await show(result);
      if (report !== undefined) await writeBenchPage(report, [result]);
      if (isEmpty(result)) process.exitCode = 1;
    });
}

function wayOf(paths: readonly string[], { compare: compared, against, page, runtimes }: BenchFlags): Way {
  if (compared || against !== undefined) {
    return namesBuilds(compared ?? [against ?? ""]) ? "a comparison of builds" : "a comparison of results";
  }
  if (paths.length > 0) return "results to draw";
  if (page !== undefined) return "--page";
  return runtimes === undefined ? "a measurement in this Node" : "--runtimes";
}

async function elsewhere(flags: BenchFlags): Promise<void> {
  const { quick = false, cases, seed, runtimes, page, out, format, report } = flags;
  const options = { quick, cases, seed, peers: flags.peers };
  if (page !== undefined) {
    return servePage(options, page === true ? 0 : page, await createShow({ ...flags, out: out ?? "." }));
  }
  const chosen = chooseRuntimes(runtimes ?? "");
  if (format !== undefined && out === undefined && chosen.length > 1) {
    throw refusal("--format: results of several runtimes need --out, a folder for their files");
  }
  const { results, hasFailed } = await runElsewhere(chosen, options, await createShow(flags));
  if (report !== undefined && results.length > 0) await writeBenchPage(report, results);
  if (hasFailed || results.every(isEmpty)) process.exitCode = 1;
}

/** Nothing could be measured. */
const isEmpty = ({ figures }: BenchResult): boolean => figures.length === 0;

async function showComparison({ compare: paths, against, failOnSlower, format, ...flags }: BenchFlags): Promise<void> {
  if (paths !== undefined && against !== undefined) throw refusal("--against: not beside --compare");
  const [before, after, ...more] = paths ?? [against];
  if (before === undefined || more.length > 0 || (paths && after === undefined)) {
    throw refusal(`--compare: expected two paths, got ${paths?.length}`);
  }
  if (format !== undefined && format !== "json") throw refusal(`--format: a comparison has json alone, got ${format}`);
  const comparison = await compare([before, after], flags);
  if (comparison.changes.length === 0) throw refusal(nothingInCommon(comparison));
  console.log(format === "json" ? toJson(comparison) : comparisonText(comparison));
  if (failOnSlower && comparison.changes.some(({ verdict }) => verdict === "slower")) process.exitCode = 1;
}

/** Otherwise a check that has compared nothing would pass. */
function nothingInCommon({ missing, skipped }: Comparison): string {
  const facts = [
    ...missing.map((key) => `only one side has ${key}`),
    ...skipped.map(({ case: name, candidate, why }) => `${name}, ${candidate}: ${why}`),
  ];
  const more = facts.length > 1 ? `, and ${facts.length - 1} more` : "";
  return `--compare: expected figures of the same machine, runtime and case on both sides, got none; ${facts[0] ?? "no case at all"}${more}`;
}

async function drawResults(paths: readonly string[], page: string | undefined): Promise<void> {
  if (page === undefined) throw refusal("--report: expected the name of the page to draw these results on, got none");
  await writeBenchPage(page, await readResults(paths));
  console.log(`${page} written`);
}

/** Prints each result, or keeps it and says so. Throws    a refusal for a folder that nothing can be written into, before anything is measured */
async function createShow({ out, format }: Pick<BenchFlags, "out" | "format">) {
  const save = out === undefined ? undefined : await createSaver(out, format ?? "json");
  return async (result: BenchResult): Promise<void> => {
    if (!save) {
      process.stdout.write(format ? textOf(result, format) : `${toText(result)}\n`);
      return;
    }
    console.log(toText(result));
    console.log(`${await save(result)} written`);
  };
}

const listOf = (text: string, before?: string): string => (before === undefined ? text : `${before},${text}`);
