// dpo-kernels loss FILE: loss, gradient norm and metrics of a file of pairs.

import { type Command, InvalidArgumentError, Option } from "commander";
import { createBackend, createJs, createRunningMean, createWasm, DpoError, lossTypes } from "../index.ts";
import { readLossOptions } from "../inputs/options.ts";
import { needsOf } from "../plan/needs.ts";
import { type Plan, planLosses } from "../plan/plan.ts";
import type { Backend, LossOptions } from "../types.ts";
import { dashed, readConfig } from "./config.ts";
import { lossOfBatches } from "./mean-loss.ts";
import { withProgress } from "./progress.ts";
import { type PairReader, readPairs } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import { type Report, toJson, toTable } from "./report.ts";
import { openSource, type Source } from "./source.ts";

/** What commander makes of the words: the options of the loss under the interface's own names, and the rest. */
interface Flags extends LossOptions {
  config?: string;
  trlVersion?: string;
  backend: keyof typeof backends;
  batchSize: number;
  finite?: true;
  json?: true;
}

const backends = { auto: () => createBackend({ for: "pairs" }), wasm: () => createWasm(), js: () => createJs() };

const examples = `
Examples:
  dpo-kernels loss pairs.jsonl                                      DPO, beta 0.1
  dpo-kernels loss pairs.parquet --loss-type ipo --beta 0.5
  dpo-kernels loss pairs.jsonl --loss-type sigmoid sft --loss-weights 1 0.2 --json
  dpo-kernels loss pairs.jsonl --config dpo_config.json --trl-version 0.24.0
  zstd -dc pairs.jsonl.zst | dpo-kernels loss -

Fields of a pair: policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps (sums, nats),
chosen_length, rejected_length (tokens; for ipo, sigmoid_norm, sft).`;

/** Adds the command `loss`. */
export function addLoss(program: Command): void {
  const command = program
    .command("loss")
    .usage("FILE [options]")
    .description("Loss, gradient norm and metrics of a file of pairs, means over all its pairs.")
    .argument("[file]", "JSON lines (packed or not) or Parquet (*.parquet); - is standard input")
    .option("--loss-type <names...>", `one or several, then a weighted sum: ${lossTypes.join(", ")} (default: sigmoid)`)
    .option("--loss-weights <numbers...>", "one per loss (default: 1)", numbers)
    .option("--beta <number>", "pull to the reference, scale of the rewards (default: 0.1)", number)
    .option("--label-smoothing <number>", "for sigmoid, robust, exo_pair, aot, aot_unpaired", number)
    .option("--discopop-tau <number>", "for discopop (default: 0.05)", number)
    .option("--f-divergence <name>", "reverse_kl, forward_kl, js_divergence, alpha_divergence")
    .option("--f-alpha <number>", "for alpha_divergence (default: 0.5)", number)
    .option("--reference-free", "the reference counts as 0")
    .option("--reward-shift <number|running>", "for bco_pair; running: the mean of the rewards so far", shift)
    .option("--config <file>", "options of a TRL DPOConfig, as JSON; the options above prevail")
    .option("--trl-version <version>", "read the config with this version's meaning")
    .addOption(new Option("--backend <name>", "what computes").choices(Object.keys(backends)).default("auto"))
    .option("--batch-size <pairs|all>", "pairs per call; matters to losses that compare pairs of a batch", size, 65536)
    .option("--finite", "refuse NaN and infinities, naming line and field")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples)
    .action(async (file: string | undefined, flags: Flags) => {
      if (file === undefined) return command.error("error: missing FILE; it comes first, or after --");
      const report = await run(file, flags);
      console.log(flags.json ? toJson(report) : toTable(report));
    });
}

async function run(file: string, flags: Flags): Promise<Report> {
  const { config, trlVersion, backend: wanted, batchSize, finite = false, json: _, ...given } = flags;
  if (trlVersion !== undefined && config === undefined) throw refusal("--trl-version: needs --config");
  const fromConfig = config === undefined ? undefined : await readConfig(config, trlVersion, given);
  const options = fromConfig?.options ?? given;
  const plan = makePlan(options, given);
  const source = await openSource(file);
  const backend: Backend = await backends[wanted]();
  const start = performance.now();
  const pairs = readPairs(source, { needs: { ...needsOf(plan), policyChosen: "every loss" }, batchSize, finite });
  const result = await withProgress(source, () => lossOfBatches(backend, source, pairs.batches, options));
  const seconds = (performance.now() - start) / 1000;
  if (result.pairs === 0) throw refusal(`${source.name}: no pairs`);
  const { name, reason } = backend;
  return {
    file: source.name,
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, weight })),
    ...result,
    metrics: Object.fromEntries(Object.entries(result.metrics).filter(([name]) => !isHollow(name, pairs))),
    seconds,
    pairsPerSecond: result.pairs / seconds,
    backend: { name, reason },
    notes: [
      ...(fromConfig?.warnings ?? []),
      ...batchNote(plan, result.batches, batchSize),
      ...absenceNotes(source, pairs),
    ],
  };
}

/** Options and what they mean; a complaint about one that came from the command line calls it by its name there. */
function makePlan(options: LossOptions, given: object): Plan {
  try {
    return planLosses(readLossOptions(options));
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    throw refusal(error.message.replace(/^\w+/, (name) => (name in given ? dashed(name) : name)));
  }
}

/** Whether a metric would tell of what the file does not hold. */
function isHollow(metric: string, { reference, rejected }: PairReader): boolean {
  const isReward = metric.startsWith("rewards/");
  if (isReward && reference.present > 0 && reference.absent > 0) return true;
  return rejected.absent > 0 && (metric.endsWith("/rejected") || (isReward && metric !== "rewards/chosen"));
}

/** Without any reference, rewards are those of the policy alone; with some, they would be a mixture. */
function absenceNotes({ place }: Source, { reference, rejected }: PairReader): string[] {
  const notes: string[] = [];
  if (reference.present > 0 && reference.absent > 0) {
    const pairs = reference.absent === 1 ? "1 pair has" : `${reference.absent} pairs have`;
    notes.push(`rewards: left out, since ${pairs} no reference, first ${place(reference.firstAbsent)}`);
  }
  if (rejected.absent > 0) {
    notes.push(`metrics of the rejected completions: left out, since ${place(rejected.firstAbsent)} has no log-prob`);
  }
  return notes;
}

/** The mean over a file is the mean over its batches only for losses of single pairs. */
function batchNote({ terms, shift }: Plan, batches: number, size: number): string[] {
  const coupled = terms
    .map(({ loss }) => loss)
    .filter(
      (loss) => "likelihood" in loss || "sorted" in loss || (shift !== undefined && "rewardShift" in loss.params),
    );
  if (coupled.length === 0) return [];
  const how =
    batches === 1 ? "all pairs were one batch" : `${batches} batches of up to ${size} pairs (--batch-size all: one)`;
  return [`${coupled.map((loss) => loss.id).join(", ")}: depends on which pairs share a batch; here ${how}`];
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

const numbers = (text: string, before: readonly number[] = []): readonly number[] => [...before, number(text)];

const shift = (text: string): LossOptions["rewardShift"] => (text === "running" ? createRunningMean() : number(text));

function size(text: string): number {
  const value = text === "all" ? Infinity : Number(text);
  if (value === Infinity || (Number.isInteger(value) && value > 0)) return value;
  throw new InvalidArgumentError('Expected a number of pairs, or "all".');
}
