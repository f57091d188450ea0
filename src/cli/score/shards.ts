// What has been computed of a job, shard by shard, in a folder beside the output: a shard is there as a whole or not at all, whatever
// moment the job ends at.

import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { TextWarningKind } from "../../text.ts";
import type { Fingerprint } from "../fingerprint.ts";
import { beginFolder, guardedBy, isBegun, jobFile, writeWhole } from "../job-folder.ts";
import { toJson } from "../report.ts";

/** What a pair or row came to: a number for each of the shard's columns; null if it is dropped. */
export type Scored = readonly number[] | null;

export interface Shard {
  /** What the numbers are called in the output. */
  readonly columns: readonly string[];
  readonly rows: readonly Scored[];
  /** Of how many rows there was something to say. */
  readonly warnings: Readonly<Partial<Record<TextWarningKind, number>>>;
}

export interface Shards {
  has(index: number): boolean;
  read(index: number): Promise<Shard>;
  write(index: number, shard: Shard): Promise<void>;
  /** Removes all of them. */
  remove(): Promise<void>;
  /** Removes the folder where it has none: what comes to nothing must not keep other data from its name. */
  removeIfEmpty(): Promise<void>;
}

/** Opens the folder of a job, or makes it. Throws    a refusal where it holds those of another job */
export async function openShards(folder: string, fingerprint: Fingerprint): Promise<Shards> {
  const guarded = guardedBy(folder);
  if (!(await isBegun(folder, fingerprint))) {
    // What lies there without a fingerprint is what a job left that ended while it was removing its own.
    await guarded(() => rm(folder, { recursive: true, force: true }));
    await beginFolder(folder, fingerprint);
  }
  const nameOf = (index: number): string => `${String(index).padStart(8, "0")}.json`;
  const remove = (): Promise<void> =>
    // The fingerprint first: shards must not outlive it.
    guarded(() => rm(join(folder, jobFile)).then(() => rm(folder, { recursive: true, force: true })));
  return {
    has: (index) => existsSync(join(folder, nameOf(index))),
    read: (index) => guarded(async () => JSON.parse(await readFile(join(folder, nameOf(index)), "utf8")) as Shard),
    write: (index, shard) => guarded(() => writeWhole(folder, nameOf(index), `${toJson(shard)}\n`)),
    remove,
    removeIfEmpty: async () => {
      const names = await guarded(() => readdir(folder));
      if (!names.some((name) => /^\d+\.json$/.test(name))) await remove();
    },
  };
}
