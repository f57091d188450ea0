// Where bytes are kept by name: a folder in Node, Deno and Bun, the origin's private file system in a page, or the caller's own store.

import { BackendError, KindError } from "../../errors.ts";
import { isRecord, kindOf } from "../../messages.ts";
import type { Store, StoreLike } from "./types.ts";

/** The store that is meant. Throws    KindError; BackendError where there are no folders */
export async function openStore(given: StoreLike, name: string): Promise<Store> {
  if (typeof given === "string" || given instanceof URL) return folderStore(given);
  const methods = ["read", "write", "list", "remove"] as const;
  if (isRecord(given) && methods.every((method) => typeof given[method] === "function")) return given;
  throw new KindError(`${name}: expected a folder or { ${methods.join(", ")} }, got ${kindOf(given)}`);
}

/** What is being written has this at the end of its name until it is whole. */
const PART = ".part";

type Fs = typeof import("node:fs/promises");

/** Modules of Node, which Deno and Bun have too; an import by name would have bundlers for the web look for them. */
async function nodeModules(): Promise<readonly [Fs, typeof import("node:path"), typeof import("node:url")]> {
  if (!globalThis.process?.versions?.node) {
    throw new BackendError("unavailable", "a folder needs Node, Deno or Bun; elsewhere pass a store");
  }
  const load = (name: string) => import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name);
  return Promise.all([load("node:fs/promises"), load("node:path"), load("node:url")]);
}

/** The files of a folder. A file is whole or is not there: it is written beside its place, flushed to disk, then moved. */
async function folderStore(folder: string | URL): Promise<Store> {
  const [fs, { join }, { fileURLToPath }] = await nodeModules();
  const path = typeof folder === "string" ? folder : fileURLToPath(folder);
  await fs.mkdir(path, { recursive: true });
  return {
    async read(name) {
      try {
        return await fs.readFile(join(path, name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    async write(name, bytes) {
      const place = join(path, name);
      const part = `${place}${PART}`;
      try {
        const file = await fs.open(part, "w");
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await fs.rename(part, place);
      } catch (error) {
        await fs.rm(part, { force: true }).catch(() => undefined);
        throw error;
      }
      await syncFolder(fs, path);
    },
    async list() {
      return (await fs.readdir(path)).filter((name) => !name.endsWith(PART));
    },
    async remove(name) {
      await fs.rm(join(path, name), { force: true });
    },
  };
}

// The new name is on disk only once the folder is; some systems open no folders.
async function syncFolder(fs: Fs, path: string): Promise<void> {
  const folder = await fs.open(path, "r").catch(() => undefined);
  try {
    await folder?.sync();
  } catch {
    return;
  } finally {
    await folder?.close();
  }
}
