// dpo-kernels loss FILE: loss, gradient norm and metrics of a file of pairs.

import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { TrlConfig } from "../from-trl.ts";
import { createBackend, createJs, createRunningMean, createWasm, DpoError, fromTrl, lossTypes } from "../index.ts";
import { type Plan, planLosses } from "../plan.ts";
import type { Backend, LossOptions } from "../types.ts";
import { lossOfBatches } from "./mean-loss.ts";
import { withProgress } from "./progress.ts";
import { type Needs, readPairs } from "./read-pairs.ts";
import { fileProblem, refusal } from "./refusal.ts";
import { type Report, toJson, toTable } from "./report.ts";
import { openSource } from "./source.ts";

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
    .argument("[file]", "JSON lines, gzipped JSON lines (*.gz) or Parquet (*.parquet); - is standard input")
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
  const fromConfig = config === undefined ? undefined : await readConfig(config, trlVersion, given.lossType);
  const options = { ...fromConfig?.loss, ...given };
  const plan = makePlan(options, given);
  const source = await openSource(file);
  const backend: Backend = await backends[wanted]();
  const start = performance.now();
  const pairs = readPairs(source, { needs: needsOf(plan), batchSize, finite });
  const result = await withProgress(source, () => lossOfBatches(backend, pairs, options));
  const seconds = (performance.now() - start) / 1000;
  if (result.pairs === 0) throw refusal(`${source.name}: no pairs`);
  const { name, reason } = backend;
  return {
    file: source.name,
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, weight })),
    ...result,
    seconds,
    pairsPerSecond: result.pairs / seconds,
    backend: { name, reason },
    notes: [...(fromConfig?.warnings ?? []), ...batchNote(plan, result.batches, batchSize)],
  };
}

/** Options and what they mean; a complaint about one that came from the command line calls it by its name there. */
function makePlan(options: LossOptions, given: object): Plan {
  try {
    return planLosses(options);
  } catch (error) {
    if (!(error instanceof DpoError)) throw error;
    const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw refusal(error.message.replace(/^\w+/, (name) => (name in given ? dashed(name) : name)));
  }
}

/** The configuration, with another list of losses if one is given: what those do not use becomes a warning then. */
async function readConfig(file: string, version: string | undefined, lossType: LossOptions["lossType"]) {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw fileProblem(file, error);
  });
  try {
    const config = JSON.parse(text) as TrlConfig;
    return fromTrl(lossType ? { ...config, loss_type: lossType, loss_weights: null } : config, { version });
  } catch (error) {
    if (error instanceof SyntaxError) throw refusal(`${file}: not JSON`);
    throw error instanceof DpoError ? refusal(`${file}: ${error.message}`) : error;
  }
}

function needsOf({ terms, referenceFree }: Plan): Needs {
  const ratios = terms.find(({ loss }) => !("likelihood" in loss));
  const lengths = terms.find(({ loss }) => "likelihood" in loss || ("normalised" in loss && loss.normalised));
  return {
    policy: "every loss",
    reference: referenceFree ? undefined : ratios?.loss.id,
    lengths: lengths?.loss.id,
  };
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
