// The folder of a job that may be interrupted: it belongs to what its fingerprint says, and its files are there as a whole or not at all.

import { existsSync } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Fingerprint } from "./fingerprint.ts";
import { fileProblem, isSystemError, refusal } from "./refusal.ts";

export const jobFile = "job.json";

/** Failures of the system name the folder. */
export const guardedBy =
  (folder: string) =>
  async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw isSystemError(error) ? fileProblem(folder, error) : error;
    }
  };

const wordsOf = (part: string): string =>
  part === "version"
    ? "another version of dpo-kernels"
    : `${/^(data|options|hidden states)$/.test(part) ? "other" : "another"} ${part}`;

/** In what two fingerprints differ, in words: "other data, other options"; empty where they are the same. */
export const differences = (before: Fingerprint, now: Fingerprint): string =>
  [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((part) => before[part] !== now[part])
    .map(wordsOf)
    .join(", ");

/** Whether the folder has been begun by this very job. Throws    a refusal where it is another job's */
export async function isBegun(folder: string, fingerprint: Fingerprint): Promise<boolean> {
  const job = join(folder, jobFile);
  if (!existsSync(job)) return false;
  const before = await guardedBy(folder)(async () => JSON.parse(await readFile(job, "utf8")) as Fingerprint);
  const what = differences(before, fingerprint);
  if (what === "") return true;
  throw refusal(`${folder}: was begun with ${what}; give --out another name, or remove the folder to begin anew`);
}

/** Makes a job's folder. */
export async function beginFolder(folder: string, fingerprint: Fingerprint): Promise<void> {
  await guardedBy(folder)(async () => {
    await mkdir(folder, { recursive: true });
    await writeWhole(folder, jobFile, `${JSON.stringify(fingerprint, null, 2)}\n`);
  });
}

/** Writes a file under another name, and gives it its own once the disk has it; the folder's entry is on the disk then too. */
export async function writeWhole(folder: string, name: string, content: string | Uint8Array): Promise<void> {
  // Nobody else's, should the same job run twice at once.
  const part = join(folder, `${name}.${process.pid}.part`);
  const file = await open(part, "w");
  try {
    await file.writeFile(content);
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
