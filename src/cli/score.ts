// dpo-kernels score DATA: log-probs of a preference data set's texts by a model and a reference, the loss they come to, and a file
// with all of it.

import { type Command, Option } from "commander";
import { readsKl } from "../losses/kinds.ts";
import { expandPaths } from "./files.ts";
import { addLossOptions, type LossFlags, print, readLoss, reportOn } from "./loss.ts";
import { countOf } from "./option-values.ts";
import { checkOutput } from "./out.ts";
import { checkPageName } from "./page.ts";
import { openPlanner } from "./queue/planner.ts";
import { work } from "./queue/worker.ts";
import { refusal } from "./refusal.ts";
import { toJson } from "./report.ts";
import { readFinished, type Told, writeFinished } from "./score/finished.ts";
import { gatherForPage, writeReport } from "./score/html-report.ts";
import { type Dtype, dtypes } from "./score/load.ts";
import { fingerprintOfJob, runJob, unitOfFiles } from "./score/run.ts";
import { scoredColumns } from "./score/score-rows.ts";

interface Flags extends Omit<LossFlags, "batchSize"> {
  /** By what the data are, unless it is given. */
  batchSize?: number;
  model?: string;
  reference?: string;
  maxLength?: number;
  truncationMode: "keep_start" | "keep_end";
  dtype: Dtype;
  batchTokens: number;
  shardSize: number;
  report?: string;
  queue?: string;
  work?: string;
  data?: string;
  threads?: number;
}

const examples = `
Examples:
  dpo-kernels score pairs.jsonl --model my-model --out scored.jsonl
  dpo-kernels score 'data/*.jsonl.gz' --model tuned --reference base --loss-type ipo --beta 0.5 --out scored.parquet

Columns of the data: prompt, chosen, rejected; texts, or lists of messages; without prompt it is what both begin with.
The output keeps them and adds ref_chosen_logps, ref_rejected_logps, chosen_logps, rejected_logps (sums, nats),
chosen_length, rejected_length (tokens), loss, chosen_reward, rejected_reward, margin.
Of completions with a label (prompt, completion, label): ref_logps, logps, for kto ref_KL_logps, KL_logps of mismatched rows,
completion_length, loss, reward.
A job that was interrupted goes on where it was when the same command is given again.

On many machines, with BullMQ on Redis:
  dpo-kernels score pairs.jsonl --model my-model --out scored.jsonl --queue redis://host    plans the job and waits for workers
  dpo-kernels score --work redis://host                                                     is a worker, until Ctrl-C`;

/** Adds the command `score`. */
export function addScore(program: Command): void {
  const command = program
    .command("score")
    .usage("DATA... --model DIR --out FILE [options]")
    .description("Log-probs of texts and messages by a model, and the loss that they come to.")
    .argument("[data...]", "JSON lines, a JSON array (packed or not) or Parquet")
    .option("--model <folder>", "a model in ONNX with its tokenizer, as transformers.js reads it")
    .option("--reference <folder>", "the reference model (default: the model itself)")
    .option("--out <file>", "the pairs with their log-probs, loss and rewards: .jsonl, .parquet or .csv")
    .option("--report <file>", "a page with the margins, the accuracy by length and the worst pairs: .html")
    .option("--max-length <tokens>", "longest sequence; rows whose prompt fills it are dropped", countOf)
    .addOption(
      new Option("--truncation-mode <mode>", "which end of a longer sequence is kept")
        .choices(["keep_start", "keep_end"])
        .default("keep_start"),
    )
    .addOption(new Option("--dtype <type>", "which file of weights").choices(Object.keys(dtypes)).default("fp32"))
    .option("--batch-tokens <tokens>", "tokens in one batch of the model, padding included", countOf, 2048)
    .option("--shard-size <pairs>", "pairs between two points from which a job can resume", countOf, 256)
    .option("--threads <count>", "threads of the model (default: all cores)", countOf)
    .option("--queue <url>", "let workers compute, through BullMQ on this Redis")
    .option("--work <url>", "be a worker of the jobs on this Redis: no DATA, no --out")
    .option("--data <place>", "where a worker sees the data: a folder, a URL, or a module with a store");
  addLossOptions(command)
    .addHelpText("after", examples)
    .action(async (files: string[], flags: Flags) => {
      const { work: redis, model, reference, data, threads } = flags;
      if (redis !== undefined && files.length > 0) throw refusal("--work: takes its DATA from the planner");
      if (redis !== undefined) return work(redis, { model, reference, data, threads });
      if (files.length === 0) return command.error("error: missing DATA");
      await score(files, flags);
    });
}

/** Pairs whose texts are in memory at once; a loss of single pairs is the same whatever the batch. */
const pairsInMemory = 1024;

/** TRL's per_device_train_batch_size, within which KTOTrainer makes its mismatched rows. */
const rowsOfBatch = 8;

async function score(files: readonly string[], flags: Flags): Promise<void> {
  const {
    model,
    reference,
    maxLength,
    truncationMode,
    dtype,
    batchTokens,
    shardSize: leastShard,
    report: reportFile,
    batchSize: givenBatch,
    queue,
    threads,
    work: _work,
    data,
    ...rest
  } = flags;
  const { out } = rest;
  if (data !== undefined) throw refusal("--data: is for workers, beside --work");
  if (model === undefined) throw refusal("--model: missing; a folder with a model in ONNX and its tokenizer");
  if (out === undefined) throw refusal("--out: missing; a file that ends in .jsonl, .parquet or .csv");
  const paths = await expandPaths(files);
  checkOutput(out, paths);
  checkPageName(reportFile);
  const unit = await unitOfFiles(paths);
  if (unit === "row" && reportFile !== undefined) throw refusal("--report: shows pairs, and these are rows");
  const isPlain = rest.lossType === undefined && rest.config === undefined;
  const asked = unit === "row" && isPlain ? { ...rest, lossType: ["kto" as const] } : rest;
  const { plan, options } = await readLoss(asked, unit);
  const batchSize = givenBatch ?? (unit === "pair" ? pairsInMemory : rowsOfBatch);
  const isMismatched = plan.terms.some(({ loss }) => readsKl(loss));
  if (isMismatched && !(batchSize >= 2 && batchSize < Infinity)) {
    throw refusal("--batch-size: expected a number of at least 2, since rows of a batch exchange their completions");
  }
  const mismatched = isMismatched ? batchSize : undefined;
  // Batches of rows that exchange their completions lie within a shard.
  const shardSize = Math.ceil(leastShard / (mismatched ?? 1)) * (mismatched ?? 1);
  const settings = { model, reference, out, maxLength, truncationMode, dtype, batchTokens, threads, unit, mismatched };
  const job = { ...settings, paths, shardSize };
  const start = performance.now();
  const fingerprint = await fingerprintOfJob(job);
  const whole = { fingerprint, loss: toJson({ options, batchSize, groupBy: rest.groupBy, finite: rest.finite }) };
  const planner = queue === undefined ? undefined : await openPlanner(queue, fingerprint);
  try {
    // By another planner, where this one had to wait.
    const before = await readFinished(out, whole);
    if (before) return printAgain(before, out, reportFile, rest);
    const { source, notes, shards } = await runJob(job, fingerprint, planner?.compute);
    const page = gatherForPage();
    const watch = reportFile === undefined ? undefined : page.add;
    const lossFlags = { ...asked, batchSize, map: scoredColumns[unit] };
    const found = await reportOn(source, paths, lossFlags, { metadata: fingerprint, watch });
    const seconds = (performance.now() - start) / 1000;
    const rate = { seconds, [`${unit}sPerSecond`]: (found.pairs ?? found.rows ?? 0) / seconds };
    const report = { ...found, ...rate, notes: [...notes, ...found.notes] };
    if (reportFile !== undefined) await writeReport(reportFile, report, page, source);
    await writeFinished(out, whole, report);
    await shards.remove();
    print(report, lossFlags);
  } finally {
    await planner?.close();
  }
}

/** What a finished job came to; nothing is computed. */
function printAgain(
  told: Told,
  out: string,
  reportFile: string | undefined,
  flags: Omit<LossFlags, "batchSize">,
): void {
  console.error(`${out}: complete since an earlier run, nothing was computed`);
  if (reportFile !== undefined)
    console.error(`${reportFile}: is written together with ${out}; remove that to begin anew`);
  console.log(flags.json ? JSON.stringify(told.json) : told.table);
  if (told.hasNan && !flags.allowNan && !flags.json) process.exitCode = 1;
}
