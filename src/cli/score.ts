// dpo-kernels score DATA: log-probs of a preference data set's texts by a model and a reference, the loss they come to, and a file
// with all of it.

import { type Command, InvalidArgumentError, Option } from "commander";
import { expandPaths } from "./files.ts";
import { addLossOptions, checkPairLoss, type LossFlags, print, reportOn } from "./loss.ts";
import { checkOutput } from "./out.ts";
import { checkPageName } from "./page.ts";
import { refusal } from "./refusal.ts";
import { gatherForPage, writeReport } from "./score/html-report.ts";
import { type Dtype, dtypes } from "./score/load.ts";
import { runJob } from "./score/run.ts";

interface Flags extends LossFlags {
  model?: string;
  reference?: string;
  maxLength?: number;
  truncationMode: "keep_start" | "keep_end";
  dtype: Dtype;
  batchTokens: number;
  shardSize: number;
  report?: string;
}

const examples = `
Examples:
  dpo-kernels score pairs.jsonl --model my-model --out scored.jsonl
  dpo-kernels score 'data/*.jsonl.gz' --model tuned --reference base --loss-type ipo --beta 0.5 --out scored.parquet

Columns of the data: prompt, chosen, rejected; texts, or lists of messages; without prompt it is what both begin with.
The output keeps them and adds ref_chosen_logps, ref_rejected_logps, chosen_logps, rejected_logps (sums, nats),
chosen_length, rejected_length (tokens), loss, chosen_reward, rejected_reward, margin.
A job that was interrupted goes on where it was when the same command is given again.`;

/** Adds the command `score`. */
export function addScore(program: Command): void {
  const command = program
    .command("score")
    .usage("DATA... --model DIR --out FILE [options]")
    .description("Log-probs of texts and messages by a model, and the loss that they come to.")
    .argument("[data...]", "JSON lines, a JSON array (packed or not) or Parquet")
    .option("--model <folder>", "a model in ONNX with its tokenizer, as transformers.js reads it")
    .option("--reference <folder>", "the reference model (default: the model itself)")
    .option("--out <file>", "where pairs go with what they came to: .jsonl, .parquet or .csv")
    .option("--report <file>", "a page with the margins, the accuracy by length and the worst pairs: .html")
    .option("--max-length <tokens>", "longest sequence; rows whose prompt fills it are dropped", count)
    .addOption(
      new Option("--truncation-mode <mode>", "which end of a longer one is kept")
        .choices(["keep_start", "keep_end"])
        .default("keep_start"),
    )
    .addOption(new Option("--dtype <type>", "which file of weights").choices(Object.keys(dtypes)).default("fp32"))
    .option("--batch-tokens <tokens>", "what the model sees at once, with padding", count, 2048)
    .option("--shard-size <pairs>", "pairs between two points that a job goes on from", count, 256);
  addLossOptions(command)
    .addHelpText("after", examples)
    .action(async (files: string[], flags: Flags) => {
      if (files.length === 0) return command.error("error: missing DATA");
      print(await score(files, flags), flags);
    });
}

async function score(files: readonly string[], flags: Flags) {
  const {
    model,
    reference,
    maxLength,
    truncationMode,
    dtype,
    batchTokens,
    shardSize,
    report: reportFile,
    ...rest
  } = flags;
  const { out } = rest;
  if (model === undefined) throw refusal("--model: missing; a folder with a model in ONNX and its tokenizer");
  if (out === undefined) throw refusal("--out: missing; a file that ends in .jsonl, .parquet or .csv");
  const paths = await expandPaths(files);
  checkOutput(out, paths);
  checkPageName(reportFile);
  await checkPairLoss(rest);
  const job = { paths, model, reference, out, maxLength, truncationMode, dtype, batchTokens, shardSize };
  const start = performance.now();
  const { source, notes, fingerprint, shards } = await runJob(job);
  const page = gatherForPage();
  const watch = reportFile === undefined ? undefined : page.add;
  const found = await reportOn(source, paths, rest, { metadata: fingerprint, watch });
  const seconds = (performance.now() - start) / 1000;
  const rate = { seconds, pairsPerSecond: (found.pairs ?? 0) / seconds };
  const report = { ...found, ...rate, notes: [...notes, ...found.notes] };
  if (reportFile !== undefined) await writeReport(reportFile, report, page, source);
  await shards.remove();
  return report;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a positive integer.");
}
