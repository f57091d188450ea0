// dpo-kernels loss FILE: loss, gradient norm and metrics of a file of pairs, or of rows.

import { type Command, InvalidArgumentError, Option } from "commander";
import { createBackend, createJs, createRunningMean, createWasm, lossTypes } from "../index.ts";
import { lossTable } from "../losses/index.ts";
import type { Unit } from "../losses/kinds.ts";
import { sharedParams } from "../losses/params.ts";
import type { Plan } from "../plan/plan.ts";
import type { LossOptions } from "../types.ts";
import { dashed, readConfig } from "./config.ts";
import { addToMap, type ColumnMap, columnNames } from "./field-names.ts";
import { expandPaths } from "./files.ts";
import type { LossJob } from "./loss-job.ts";
import { lossOfPairs } from "./loss-of-pairs.ts";
import { lossOfRows } from "./loss-of-rows.ts";
import { numberOf } from "./option-values.ts";
import { isEvery, makePlan, typesOf, unitOf } from "./plans.ts";
import { refusal } from "./refusal.ts";
import { type Report, toJson, toTable } from "./report.ts";
import type { Source, Wanted } from "./rows.ts";
import { askAll, refuseOtherUnit } from "./sift.ts";
import { joinSources, openSource } from "./source.ts";

/** What commander makes of the words: the options of the loss under the interface's own names, and the rest. */
export interface LossFlags extends LossOptions {
  config?: string;
  trlVersion?: string;
  backend: keyof typeof backends;
  batchSize: number;
  finite?: true;
  allowNan?: true;
  map?: ColumnMap;
  groupBy?: string;
  out?: string;
  json?: true;
}

const backends = { auto: () => createBackend({ for: "pairs" }), wasm: () => createWasm(), js: () => createJs() };

const examples = `
Examples:
  dpo-kernels loss pairs.jsonl                                      DPO, beta 0.1
  dpo-kernels loss --loss-type ipo --beta 0.5 pairs.parquet
  dpo-kernels loss train-*.jsonl.gz --loss-type sigmoid,sft --loss-weights 1,0.2 --json
  dpo-kernels loss pairs.jsonl --loss-type all                      every loss, one a line
  dpo-kernels loss rows.jsonl --loss-type kto --batch-size 16
  dpo-kernels loss pairs.jsonl --config dpo_config.json --trl-version 0.24.0
  dpo-kernels loss pairs.jsonl --map policy_chosen_logps=my_column
  xz -dc pairs.jsonl.xz | dpo-kernels loss -

Fields of a pair: policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps (sums, nats),
chosen_length, rejected_length (tokens; for ipo, sigmoid_norm, sft).
Of a row: label (true: desirable), policy_logps, ref_logps; for kto kl_policy_logps, kl_ref_logps, of mismatched rows.`;

/** Options of hyperparameters that need no words of their own: who uses them, and their default. */
const ownWords = ["beta", "labelSmoothing", "discopopTau", "rewardShift"];
const moreParams = Object.entries(sharedParams).filter(([name]) => !ownWords.includes(name));
const usersOf = (name: string): string =>
  lossTypes.filter((id) => Object.hasOwn(lossTable[id].params, name)).join(", ");

/** Adds the command `loss`. */
export function addLoss(program: Command): void {
  const command = program
    .command("loss")
    .usage("FILE... [options]")
    .description("The loss, its gradient norm and the metrics of a file of pairs or labelled rows, as means.")
    .argument("[files...]", "JSON lines, a JSON array (packed or not) or Parquet; - is standard input");
  addLossOptions(command, 65536)
    .option("--map <field=column>", "read a field from another column; may be given several times", addToMap)
    .option("--out <file>", "write loss, rewards and margin of each pair beside its columns: .jsonl, .csv or .parquet")
    .addHelpText("after", examples)
    .action(async (files: string[], flags: LossFlags) => {
      if (files.length === 0) return command.error("error: missing FILE");
      print(await run(files, flags), flags);
    });
}

/** Adds what says which loss there is to be, and how it is printed. */
export function addLossOptions(command: Command, batchSize?: number): Command {
  const lossNames = `${typesOf("pair").join(", ")}; of rows: ${typesOf("row").join(", ")}`;
  command
    .option("--loss-type <names>", `one or several, then a weighted sum: ${lossNames}; or all`, names)
    .option("--loss-weights <numbers>", "one for each loss (default: 1)", numbers)
    .option("--beta <number>", "how strongly the reference holds the policy (default: 0.1)", numberOf)
    .option("--label-smoothing <number>", "for sigmoid, robust, exo_pair, aot, aot_unpaired", numberOf)
    .option("--discopop-tau <number>", "for discopop (default: 0.05)", numberOf)
    .option("--f-divergence <name>", "reverse_kl, forward_kl, js_divergence, alpha_divergence")
    .option("--f-alpha <number>", "for alpha_divergence (default: 0.5)", numberOf)
    .option("--reference-free", "the reference counts as 0")
    .option("--reward-shift <number|running>", "for bco_pair, bco; running: the mean of the rewards so far", shift)
    .option(
      "--config <file>",
      "options of a TRL DPOConfig (CPO-, KTO-, BCOConfig), as JSON or YAML; options given here take precedence",
    )
    .option("--trl-version <version>", "the TRL version that the config is for")
    .addOption(new Option("--backend <name>", "what computes").choices(Object.keys(backends)).default("auto"))
    .option("--batch-size <pairs|all>", "pairs per call; matters for losses that depend on the batch", size, batchSize)
    .option("--group-by <column>", "also print means for each value of a column")
    .option("--finite", "refuse NaN and infinities, naming line and field")
    .option("--allow-nan", "exit status 0 even if a loss is NaN")
    .option("--json", "print one JSON object");
  for (const [name, param] of moreParams) {
    command.option(`${dashed(name)} <number>`, `for ${usersOf(name)} (default: ${param.default})`, numberOf);
  }
  return command;
}

/** Prints a report, as the flags say. */
export function print(report: Report, flags: LossFlags): void {
  console.log(flags.json ? toJson(report) : toTable(report));
  // Programs read the number of NaNs in the object.
  if (report.nan && !flags.allowNan && !flags.json) process.exitCode = 1;
}

async function run(files: readonly string[], flags: LossFlags): Promise<Report> {
  const { config, trlVersion, map = {}, groupBy, out } = flags;
  if (trlVersion !== undefined && config === undefined) throw refusal("--trl-version: needs --config");
  const paths = await expandPaths(files);
  const columns = [...columnNames(map), ...(groupBy === undefined ? [] : [groupBy])];
  return reportOn(joinSources(await openAll(paths, out === undefined ? columns : "all")), paths, flags);
}

/** The loss of what a source has, which came from the files `paths`; with `out` also written beside its columns. */
export async function reportOn(
  opened: Source,
  paths: readonly string[],
  flags: LossFlags,
  { metadata, watch }: Partial<Pick<LossJob, "metadata" | "watch">> = {},
): Promise<Report> {
  const { config, trlVersion, backend, batchSize, finite = false, map = {}, groupBy, out, ...rest } = flags;
  const { json: _json, allowNan: _allowNan, ...given } = rest;
  const isAll = isEvery(given.lossType);
  if (isAll && out !== undefined) throw refusal("--out: needs losses that are summed up, not all");
  const { source, asked, left } = isAll ? await askAll(opened, given, map) : { source: opened, asked: given, left: [] };
  const fromConfig = config === undefined ? undefined : await readConfig(config, trlVersion, asked);
  const options = fromConfig?.options ?? asked;
  const unit = unitOf(options.lossType) ?? "pair";
  const job = {
    source: isAll ? source : await refuseOtherUnit(source, unit, map),
    plan: makePlan(options, given, unit),
    options,
    isAll,
    paths,
    backend: await backends[backend](),
    ...{ batchSize, finite, map, groupBy, out, metadata, watch },
    notes: [...(fromConfig?.warnings ?? []), ...left],
  };
  return unit === "row" ? lossOfRows(job) : lossOfPairs(job);
}

/** The loss that the flags ask for. Refuses at once what it would refuse of them once all pairs, or rows, are there. */
export async function readLoss(
  flags: Omit<LossFlags, "batchSize">,
  unit: Unit,
): Promise<{ plan: Plan; options: LossOptions }> {
  const { config, trlVersion, backend: _, finite: _finite, groupBy, out: _out, ...rest } = flags;
  const { json: _json, allowNan: _allowNan, ...given } = rest;
  if (trlVersion !== undefined && config === undefined) throw refusal("--trl-version: needs --config");
  if (isEvery(given.lossType)) throw refusal("--out: needs losses that are summed up, not all");
  const options = config === undefined ? given : (await readConfig(config, trlVersion, given)).options;
  const asked = unitOf(options.lossType) ?? "pair";
  const plan = makePlan(options, given, asked);
  if (asked !== unit) throw refusal(`--loss-type: expected losses of ${unit}s, got one of ${asked}s`);
  if (unit === "row" && groupBy !== undefined) throw refusal("--group-by: groups pairs, and these are rows");
  return { plan, options };
}

export async function openAll(paths: readonly string[], wanted: Wanted): Promise<Source[]> {
  if (paths.filter((path) => path === "-").length > 1) throw refusal("-: standard input can be read once");
  const sources: Source[] = [];
  for (const path of paths) sources.push(await openSource(path, wanted));
  return sources;
}

const numbers = (text: string, before: readonly number[] = []): readonly number[] => [
  ...before,
  ...text.split(",").map(numberOf),
];

const names = (text: string, before: readonly string[] = []): readonly string[] => [...before, ...text.split(",")];

const shift = (text: string): LossOptions["rewardShift"] => (text === "running" ? createRunningMean() : numberOf(text));

function size(text: string): number {
  const value = text === "all" ? Infinity : Number(text);
  if (value === Infinity || (Number.isInteger(value) && value > 0)) return value;
  throw new InvalidArgumentError('Expected a number of pairs, or "all".');
}
