// A job: rows in shards, each through the tokenizer and the models, and all of them together as a source of pairs, or rows, with
// log-probs.

import type { Unit } from "../../losses/kinds.ts";
import { type Fingerprint, hashOf, hashOfModel, hashOfText, hashOfTokenizer, version } from "../fingerprint.ts";
import { openAll } from "../loss.ts";
import { gatherShapes } from "../parquet/infer.ts";
import { type Bar, startBar } from "../rate-bar.ts";
import { refusal } from "../refusal.ts";
import type { Row, Source } from "../rows.ts";
import { joinSources, peekRow } from "../source.ts";
import { formChecker, notesOnRows } from "../tokenize-rows.ts";
import { weightsOf } from "./load.ts";
import { checkRows, openScorers, type ScoreSettings, scoredColumns, unitOfData } from "./score-rows.ts";
import { openShards, type Shard, type Shards } from "./shards.ts";

/** What a job is made of. */
export interface Job extends ScoreSettings {
  readonly paths: readonly string[];
  readonly shardSize: number;
}

/** What has been computed of a job: all of it. */
export interface Computed {
  /** The rows with their log-probs and lengths; those that were dropped are missing. */
  readonly source: Source;
  readonly notes: readonly string[];
  readonly shards: Shards;
}

/** Computes the shards that are missing, and says how many were there. */
export type ComputeShards = (job: Job, shards: Shards, bar: Bar) => Promise<number>;

/** What the data are, by their first row. Throws    a refusal where there is none, or one that cannot be scored */
export async function unitOfFiles(paths: readonly string[]): Promise<Unit> {
  if (paths.includes("-")) throw refusal("-: a job that may be resumed reads its data again; give it a file");
  const { first, whole } = await peekRow(await openRows(paths));
  if (!first) throw refusal(`${paths.join(", ")}: no pairs`);
  return unitOfData(whole, first);
}

/** What the job depends on. Throws    a refusal for a file that is missing or cannot be read */
export async function fingerprintOfJob(job: Job): Promise<Fingerprint> {
  const { paths, maxLength, truncationMode, dtype, batchTokens, shardSize, mismatched } = job;
  return {
    ...(await fingerprintOfModels(job)),
    data: await hashOf(paths),
    options: hashOfText(JSON.stringify({ maxLength, truncationMode, dtype, batchTokens, shardSize, mismatched })),
  };
}

/** What a job's models are, and what reads them. */
export async function fingerprintOfModels({
  model,
  reference,
  dtype,
}: Pick<Job, "model" | "reference" | "dtype">): Promise<Fingerprint> {
  const weights = await weightsOf(model, dtype, "--model");
  const others = reference === undefined ? undefined : await weightsOf(reference, dtype, "--reference");
  return {
    version,
    model: await hashOfModel(model, weights),
    reference: reference === undefined || others === undefined ? "" : await hashOfModel(reference, others),
    tokenizer: await hashOfTokenizer(model),
  };
}

/** Computes what is missing of a job. Throws    refusals that name file, line and column */
export async function runJob(
  job: Job,
  fingerprint: Fingerprint,
  compute: ComputeShards = computeHere,
): Promise<Computed> {
  const { paths, reference, out, shardSize, unit } = job;
  const { total, shapes } = await survey(job);
  const shards = await openShards(`${out}.job`, fingerprint);
  const bar = startBar(total, `${unit}s`);
  const found = await compute(job, shards, bar)
    .catch(async (error) => {
      await shards.removeIfEmpty();
      throw error;
    })
    .finally(() => bar.stop());
  const count = Math.ceil(total / shardSize);
  const notes = await notesOf(job, shards, count, total);
  if (found > 0) notes.unshift(`${found} of ${count} shards were there from an earlier run`);
  if (reference === undefined) notes.push("no --reference: the model is its own, as it is before training");
  const merged = mergedSource(await openRows(paths), shards, shardSize);
  return { source: { ...merged, shapes: withoutScored(shapes ?? merged.shapes, unit) }, notes, shards };
}

async function computeHere(job: Job, shards: Shards, bar: Bar): Promise<number> {
  const source = await openRows(job.paths);
  let scoreRows: ((rows: readonly Row[]) => Promise<Shard>) | undefined;
  let found = 0;
  for await (const [index, rows] of inShards(source, job.shardSize)) {
    const isKnown = shards.has(index);
    if (isKnown) found++;
    else {
      scoreRows ??= await openScorers(job, source);
      await shards.write(index, await scoreRows(rows));
    }
    bar.advance(rows.length, !isKnown);
  }
  return found;
}

const openRows = async (paths: readonly string[]): Promise<Source> => joinSources(await openAll(paths, "all"));

/**
 * How many rows there are, and where columns are wanted that the data do not declare, what these hold in all of them. A row that
 * could not be scored is refused now, not when the models come to it.
 */
async function survey(job: Job) {
  const { paths, out } = job;
  const isDeclared = (await openRows(paths)).shapes !== undefined;
  const gathered = isDeclared || !/\.parquet$/i.test(out) ? undefined : gatherShapes();
  const source = await openRows(paths);
  const checkForms = formChecker(source);
  let total = 0;
  for await (const block of source.rows) {
    total += block.length;
    checkRows(source, block, job);
    checkForms(block);
    if (gathered) for (const [, fields] of block) gathered.add(fields);
  }
  return { total, shapes: gathered?.shapes() };
}

/** Columns that bear the names of what is computed are replaced by it. */
const withoutScored = (shapes: Source["shapes"], unit: Unit): Source["shapes"] =>
  shapes && new Map([...shapes].filter(([name]) => !Object.values(scoredColumns[unit]).includes(name)));

async function* inShards(source: Source, size: number): AsyncGenerator<[index: number, rows: Row[]]> {
  let index = 0;
  let rows: Row[] = [];
  for await (const block of source.rows) {
    for (const row of block) {
      rows.push(row);
      if (rows.length < size) continue;
      yield [index++, rows];
      rows = [];
    }
  }
  if (rows.length > 0) yield [index, rows];
}

/** The rows again, with what the shards have of them. */
function mergedSource(source: Source, shards: Shards, size: number): Source {
  async function* rows(): AsyncGenerator<Row[]> {
    for await (const [index, block] of inShards(source, size)) {
      const { columns, rows: scored } = await shards.read(index);
      yield block.flatMap(([number, fields], i): Row[] => {
        const own = scored[i];
        if (!own) return [];
        return [[number, { ...fields, ...Object.fromEntries(columns.map((name, k) => [name, own[k]])) }]];
      });
    }
  }
  return { ...source, rows: rows() };
}

async function notesOf({ unit, mismatched }: Job, shards: Shards, count: number, total: number): Promise<string[]> {
  const sums = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    for (const [kind, rows] of Object.entries((await shards.read(index)).warnings)) {
      sums.set(kind, (sums.get(kind) ?? 0) + rows);
    }
  }
  if (sums.get("dropped") === total) {
    await shards.remove();
    throw refusal(`--max-length: every prompt fills it, which leaves no ${unit}`);
  }
  const notes = notesOnRows(sums, total, unit);
  if (mismatched === undefined || !sums.has("dropped")) return notes;
  const blocks = `blocks of ${mismatched} rows that exchange their completions end where a shard does`;
  return [...notes, `since rows were dropped, ${blocks}; score the output once more for TRL's own blocks`];
}
