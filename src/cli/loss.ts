// dpo-kernels loss FILE: loss, gradient norm and metrics of a file of pairs.

import { type Command, InvalidArgumentError, Option } from "commander";
import {
  createBackend,
  createJs,
  createRunningMean,
  createWasm,
  DpoError,
  type LossType,
  lossTypes,
} from "../index.ts";
import { readLossOptions } from "../inputs/options.ts";
import { lossTable } from "../losses/index.ts";
import { needsOf } from "../plan/needs.ts";
import { type Plan, planLosses, type Term } from "../plan/plan.ts";
import type { Backend, LossOptions } from "../types.ts";
import { dashed, readConfig } from "./config.ts";
import { expandPaths } from "./files.ts";
import { gatherGroups } from "./groups.ts";
import { gatherMargins } from "./margins.ts";
import { type LossMean, lossesOfBatches } from "./mean-loss.ts";
import { openOutput } from "./out.ts";
import { withProgress } from "./progress.ts";
import { addToMap, type ColumnMap, columnNames, missingIn, type PairReader, readPairs } from "./read-pairs.ts";
import { refusal } from "./refusal.ts";
import { type Report, toJson, toTable } from "./report.ts";
import type { Source, Wanted } from "./rows.ts";
import { joinSources, openSource, peekRow } from "./source.ts";

const pairTypes = lossTypes.filter((id) => lossTable[id].unit === "pair");

/** What commander makes of the words: the options of the loss under the interface's own names, and the rest. */
interface Flags extends LossOptions {
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
  dpo-kernels loss pairs.jsonl --config dpo_config.json --trl-version 0.24.0
  dpo-kernels loss pairs.jsonl --map policy_chosen_logps=my_column
  xz -dc pairs.jsonl.xz | dpo-kernels loss -

Fields of a pair: policy_chosen_logps, policy_rejected_logps, ref_chosen_logps, ref_rejected_logps (sums, nats),
chosen_length, rejected_length (tokens; for ipo, sigmoid_norm, sft).`;

/** Adds the command `loss`. */
export function addLoss(program: Command): void {
  const command = program
    .command("loss")
    .usage("FILE... [options]")
    .description("Loss, gradient norm and metrics of a file of pairs, means over all its pairs.")
    .argument("[files...]", "JSON lines, a JSON array (packed or not) or Parquet; - is standard input")
    .option("--loss-type <names>", `one or several, then a weighted sum: ${pairTypes.join(", ")}; or all`, names)
    .option("--loss-weights <numbers>", "one per loss (default: 1)", numbers)
    .option("--beta <number>", "pull to the reference (default: 0.1)", number)
    .option("--label-smoothing <number>", "for sigmoid, robust, exo_pair, aot, aot_unpaired", number)
    .option("--discopop-tau <number>", "for discopop (default: 0.05)", number)
    .option("--f-divergence <name>", "reverse_kl, forward_kl, js_divergence, alpha_divergence")
    .option("--f-alpha <number>", "for alpha_divergence (default: 0.5)", number)
    .option("--reference-free", "the reference counts as 0")
    .option("--reward-shift <number|running>", "for bco_pair; running: the mean of the rewards so far", shift)
    .option("--config <file>", "options of a TRL DPOConfig, as JSON or YAML; the options above prevail")
    .option("--trl-version <version>", "read the config with this version's meaning")
    .addOption(new Option("--backend <name>", "what computes").choices(Object.keys(backends)).default("auto"))
    .option("--batch-size <pairs|all>", "pairs per call; matters to losses that compare pairs of a batch", size, 65536)
    .option("--map <field=column>", "a field under another name; may be given several times", addToMap)
    .option("--group-by <column>", "means for each value of a column, too")
    .option("--out <file>", "write loss, rewards and margin of each pair beside its columns: .jsonl, .csv or .parquet")
    .option("--finite", "refuse NaN and infinities, naming line and field")
    .option("--allow-nan", "end with status 0 even if a loss is NaN")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples)
    .action(async (files: string[], flags: Flags) => {
      if (files.length === 0) return command.error("error: missing FILE");
      const report = await run(files, flags);
      console.log(flags.json ? toJson(report) : toTable(report));
      // Programs read the number of NaNs in the object.
      if (report.nan && !flags.allowNan && !flags.json) process.exitCode = 1;
    });
}

async function run(files: readonly string[], flags: Flags): Promise<Report> {
  const { config, trlVersion, backend: wanted, batchSize, finite = false, map = {}, groupBy, out, ...rest } = flags;
  const { json: _json, allowNan: _allowNan, ...given } = rest;
  if (trlVersion !== undefined && config === undefined) throw refusal("--trl-version: needs --config");
  const paths = await expandPaths(files);
  const columns = [...columnNames(map), ...(groupBy === undefined ? [] : [groupBy])];
  const opened = joinSources(await openAll(paths, out === undefined ? columns : "all"));
  const isAll = isEvery(given.lossType);
  const { source, asked, left } = isAll ? await askAll(opened, given, map) : { source: opened, asked: given, left: [] };
  const fromConfig = config === undefined ? undefined : await readConfig(config, trlVersion, asked);
  const options = fromConfig?.options ?? asked;
  const plan = makePlan(options, given);
  const backend: Backend = await backends[wanted]();
  const start = performance.now();
  const needs = { ...needsOf(plan), policyChosen: "every loss" };
  const pairs = readPairs(source, { needs, batchSize, finite, map, groupBy, keepFields: out !== undefined });
  const parts = plan.terms.length > 1 ? plan.terms.map((term) => alone(term, options)) : [];
  const calls = isAll ? parts : [options, ...parts];
  const margins = gatherMargins();
  // Ranks and likelihoods are the batch's; a sum with one of them is not a pair's own either.
  const isOwn = plan.terms.every(({ loss }) => loss.batch === undefined);
  const groups = groupBy === undefined ? undefined : gatherGroups(groupBy, isOwn);
  if (isAll && out !== undefined) throw refusal("--out: needs losses that are summed up, not all");
  const output = out === undefined ? undefined : await openOutput(out, paths);
  const compute = () =>
    lossesOfBatches(backend, source, pairs.batches, calls, async (result, batch) => {
      margins.add(result);
      groups?.add(result, batch.groups);
      await output?.add(batch.fields, result);
    });
  let written: string[] = [];
  const work = async () => {
    try {
      const losses = await compute();
      if (losses.pairs === 0) throw refusal(`${source.name}: no pairs`);
      if (output && isHollow("rewards/margins", pairs))
        throw refusal("--out: not all pairs have what rewards are made of");
      written = (await output?.keep()) ?? [];
      return losses;
    } catch (error) {
      await output?.drop();
      throw error;
    }
  };
  const result = await withProgress(source, work);
  const seconds = (performance.now() - start) / 1000;
  const { name, reason } = backend;
  const [first, ...others] = result.means as [LossMean, ...LossMean[]];
  const ofParts = isAll ? result.means : others;
  const hasMargins = !isHollow("rewards/margins", pairs);
  const spread = hasMargins ? margins.spread() : undefined;
  if (groups && !hasMargins) throw refusal("--group-by: not all pairs have the log-probabilities of its means");
  const nan = result.means.map((mean) => mean.nan).find(({ pairs }) => pairs > 0);
  return {
    file: source.name,
    ...(paths.length > 1 && { files: paths }),
    options: { ...options, beta: plan.beta },
    losses: plan.terms.map(({ loss, weight }) => ({ id: loss.id, ...(!isAll && { weight }) })),
    ...(ofParts.length > 0 && {
      each: ofParts.map(({ loss, gradNorm }, i) => ({ id: plan.terms[i]?.loss.id ?? "", loss, gradNorm })),
    }),
    pairs: result.pairs,
    batches: result.batches,
    ...(!isAll && { loss: first.loss, gradNorm: first.gradNorm }),
    metrics: Object.fromEntries(Object.entries(first.metrics).filter(([name]) => !isHollow(name, pairs))),
    ...(spread && { margins: spread }),
    ...(groups && { groups: groups.groups() }),
    ...(nan && { nan: { pairs: nan.pairs, first: source.place(nan.first) } }),
    seconds,
    pairsPerSecond: result.pairs / seconds,
    backend: { name, reason },
    notes: [
      ...(fromConfig?.warnings ?? []),
      ...left,
      ...batchNote(plan, result.batches, batchSize),
      ...absenceNotes(source, pairs),
      ...written,
      ...(nan ? [`NaN: the loss of ${nan.pairs} of ${result.pairs} pairs, first ${source.place(nan.first)}`] : []),
    ],
  };
}

const isEvery = (lossType: LossOptions["lossType"]): boolean =>
  Array.isArray(lossType) && lossType.length === 1 && lossType[0] === "all";

/** Every loss for which the first pair has what it needs, and a note for each of the others. */
async function askAll(opened: Source, given: LossOptions, map: ColumnMap) {
  const { first, whole: source } = await peekRow(opened);
  const left: string[] = [];
  const lossType = pairTypes.filter((id) => {
    const plan = planLosses({ lossType: id, referenceFree: lossTable[id].reference && given.referenceFree });
    const missing = first ? missingIn(first, { ...needsOf(plan), policyChosen: id }, map) : [];
    if (missing.length > 0) left.push(`${id}: left out, since the first pair has no ${missing.join(", ")}`);
    return missing.length === 0;
  });
  if (lossType.length === 0) throw refusal(`${opened.name}: no loss can be computed: ${left[0]}`);
  return { source, asked: { ...given, lossType }, left };
}

async function openAll(paths: readonly string[], wanted: Wanted): Promise<Source[]> {
  if (paths.filter((path) => path === "-").length > 1) throw refusal("-: standard input can be read once");
  const sources: Source[] = [];
  for (const path of paths) sources.push(await openSource(path, wanted));
  return sources;
}

/** The options of one loss of several: those of them that it uses. A running mean is kept for each. */
function alone({ loss }: Term, options: LossOptions): LossOptions {
  const { lossType: _type, lossWeights: _weights, fDivergence, fAlpha, referenceFree, ...params } = options;
  const used = Object.entries(params).filter(([name]) => name === "beta" || Object.hasOwn(loss.params, name));
  const own = used.map(([name, value]) => [name, typeof value === "object" ? createRunningMean() : value]);
  return {
    lossType: loss.id as LossType,
    ...Object.fromEntries(own),
    ...(loss.reference && { referenceFree }),
    ...(loss.scored && { fDivergence, fAlpha }),
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
    .filter(({ batch, params }) => batch !== undefined || (shift !== undefined && "rewardShift" in params));
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

const numbers = (text: string, before: readonly number[] = []): readonly number[] => [
  ...before,
  ...text.split(",").map(number),
];

const names = (text: string, before: readonly string[] = []): readonly string[] => [...before, ...text.split(",")];

const shift = (text: string): LossOptions["rewardShift"] => (text === "running" ? createRunningMean() : number(text));

function size(text: string): number {
  const value = text === "all" ? Infinity : Number(text);
  if (value === Infinity || (Number.isInteger(value) && value > 0)) return value;
  throw new InvalidArgumentError('Expected a number of pairs, or "all".');
}
