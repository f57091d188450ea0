// What a job leaves beside its output: by it the same command knows that there is nothing left to do, and another one that the
// name is taken.

import { existsSync } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Fingerprint } from "../fingerprint.ts";
import { differences, writeWhole } from "../job-folder.ts";
import { fileProblem, refusal } from "../refusal.ts";
import { type Report, toJson, toTable } from "../report.ts";

/** What was asked of a job. */
export interface Asked {
  readonly fingerprint: Fingerprint;
  /** The loss and its options, as JSON: they may change while a job is not finished, since they take no model. */
  readonly loss: string;
}

/** What it came to, as it was printed. */
export interface Told {
  readonly table: string;
  readonly json: unknown;
  readonly hasNan: boolean;
}

interface Kept extends Asked, Told {
  /** The size of the output, by which one that was changed since is known. */
  readonly bytes: number;
}

const fileOf = (out: string): string => `${out}.job.json`;

/**
 * What a finished job of the same files and options came to; undefined where none has been finished.
 *
 * Throws    a refusal where the output is another job's, or has been changed since
 */
export async function readFinished(out: string, { fingerprint, loss }: Asked): Promise<Told | undefined> {
  const file = fileOf(out);
  if (!existsSync(file)) return undefined;
  if (!existsSync(out)) {
    await rm(file);
    return undefined;
  }
  const anew = "give --out another name, or remove it to begin anew";
  let kept: Partial<Kept>;
  try {
    kept = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw error instanceof SyntaxError ? refusal(`${file}: not what a job leaves; ${anew}`) : fileProblem(file, error);
  }
  const other = differences(kept.fingerprint ?? {}, fingerprint);
  if (other !== "") throw refusal(`${out}: is the output of a job with ${other}; ${anew}`);
  if ((await stat(out)).size !== kept.bytes) throw refusal(`${out}: was changed after its job had written it; ${anew}`);
  if (kept.loss !== loss) {
    throw refusal(`${out}: has another loss or other options of it, which dpo-kernels loss computes from it; ${anew}`);
  }
  // A job that was killed while it was removing its shards.
  await rm(`${out}.job`, { recursive: true, force: true });
  const { table = "", json, hasNan = false } = kept;
  return { table, json, hasNan };
}

/** Notes that the output is complete. */
export async function writeFinished(out: string, asked: Asked, report: Report): Promise<void> {
  const told: Told = {
    table: toTable(report),
    json: JSON.parse(toJson(report)),
    hasNan: report.nan !== undefined,
  };
  const kept: Kept = { ...asked, ...told, bytes: (await stat(out)).size };
  try {
    await writeWhole(dirname(out), basename(fileOf(out)), `${JSON.stringify(kept, null, 2)}\n`);
  } catch (error) {
    throw fileProblem(fileOf(out), error);
  }
}
