// What has been computed of a job, shard by shard, in a folder beside the output: a shard is there as a whole or not at all, whatever
// moment the job ends at.

import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TextWarningKind } from "../../text.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { toJson } from "../report.ts";
import type { Fingerprint } from "./fingerprint.ts";

/** Log-probs and lengths of one pair: policy chosen and rejected, reference chosen and rejected, tokens of both; null if it is dropped. */
export type Scored = readonly [number, number, number, number, number, number] | null;

export interface Shard {
  readonly pairs: readonly Scored[];
  /** Of how many rows there was something to say. */
  readonly warnings: Readonly<Partial<Record<TextWarningKind, number>>>;
}

export interface Shards {
  has(index: number): boolean;
  read(index: number): Promise<Shard>;
  write(index: number, shard: Shard): Promise<void>;
  /** Removes all of them. */
  remove(): Promise<void>;
}

const differences: Readonly<Record<keyof Fingerprint, string>> = {
  version: "another version of dpo-kernels",
  model: "another model",
  reference: "another reference",
  tokenizer: "another tokenizer",
  data: "other data",
  options: "other options",
};

/** Opens the folder of a job, or makes it. Throws    a refusal where it holds those of another job */
export async function openShards(folder: string, fingerprint: Fingerprint): Promise<Shards> {
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw isSystemError(error) ? fileProblem(folder, error) : error;
    }
  };
  const job = join(folder, "job.json");
  await guarded(async () => {
    if (!existsSync(job)) {
      // What lies there without a fingerprint is what a job left that ended while it was removing its own.
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      return writeWhole(folder, "job.json", `${JSON.stringify(fingerprint, null, 2)}\n`);
    }
    const before = JSON.parse(await readFile(job, "utf8")) as Partial<Fingerprint>;
    const other = (Object.keys(differences) as (keyof Fingerprint)[]).filter(
      (part) => before[part] !== fingerprint[part],
    );
    if (other.length === 0) return;
    const what = other.map((part) => differences[part]).join(", ");
    throw refusal(`${folder}: was begun with ${what}; give --out another name, or remove the folder to begin anew`);
  });
  const nameOf = (index: number): string => `${String(index).padStart(8, "0")}.json`;
  return {
    has: (index) => existsSync(join(folder, nameOf(index))),
    read: (index) => guarded(async () => JSON.parse(await readFile(join(folder, nameOf(index)), "utf8")) as Shard),
    write: (index, shard) => guarded(() => writeWhole(folder, nameOf(index), `${toJson(shard)}\n`)),
    // The fingerprint first: shards must not outlive it.
    remove: () => guarded(() => rm(job).then(() => rm(folder, { recursive: true, force: true }))),
  };
}

/** Writes a file under another name, and gives it its own once the disk has it; the folder's entry is on the disk then too. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  // Nobody else's, should the same job run twice at once.
  const part = join(folder, `${name}.${process.pid}.part`);
  const file = await open(part, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, join(folder, name));
  await syncFolder(folder);
}

// Windows opens no folders, and keeps their entries by itself.
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
