// dpo-kernels bench: how fast this package is here, beside others, and how exact.

import { type Command, Option } from "commander";
import { type BenchResult, ours } from "../bench.ts";
import { runHere } from "./bench/here.ts";
import { type Format, formats, saveResult, textOf } from "./bench/results.ts";
import { toText } from "./bench/table.ts";
import { countOf } from "./option-values.ts";

interface BenchFlags {
  quick?: true;
  cases?: string[];
  seed: number;
  processorTime?: true;
  out?: string;
  format?: Format;
}

const examples = `
Examples:
  dpo-kernels bench --quick                                 a look, in seconds
  dpo-kernels bench --out results                           everything, and a file of all that was measured
  dpo-kernels bench --cases 'pairs/*' logits/both/64x1000   some cases; a name is that case of any shape
  dpo-kernels bench --quick --format bencher > metrics.json`;

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
    .option("--processor-time", "count the processor's time: steadier where others are at work, but no result to quote")
    .option("--out <folder>", "write bench-<runtime><major> into it")
    .addOption(
      new Option("--format <name>", "of the file, or of what is printed in place of the table").choices(formats),
    )
    .addHelpText("after", examples)
    .action(async (flags: BenchFlags) => {
      const { quick, cases, seed, processorTime } = flags;
      const result = await runHere({ quick, cases, seed, processorTime, candidates: await ours() });
      await show(result, flags);
    });
}

async function show(result: BenchResult, { out, format }: BenchFlags): Promise<void> {
  if (out === undefined) {
    process.stdout.write(format ? textOf(result, format) : `${toText(result)}\n`);
    return;
  }
  const path = await saveResult(out, result, format ?? "json");
  console.log(`${toText(result)}\n${path} written`);
}
