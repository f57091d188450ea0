// Where objects lie: a folder, an HTTP server, or a service that a module of the user's speaks to.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { refusal } from "../refusal.ts";
import { folderStore } from "./folder.ts";
import { httpStore } from "./http.ts";
import type { ReadStore } from "./types.ts";

/**
 * The store that a word of the command line means: a URL, a module whose default export is a `ReadStore`, or a folder.
 *
 * Throws    a refusal that begins with `flag`
 */
export async function openStore(where: string, flag: string): Promise<ReadStore> {
  if (isUrl(where)) return httpStore(where);
  if (!/\.m?js$/i.test(where)) return folderStore(where);
  const { default: store }: { default?: unknown } = await import(pathToFileURL(resolve(where)).href);
  if (isReadStore(store)) return store;
  throw refusal(`${flag}: ${where}: expected a default export with size(name) and read(name, start, end)`);
}

/** What an object is called in messages: without a URL's query, which may be a signature. */
export const labelIn = (where: string, name: string): string =>
  `${isUrl(where) ? where.replace(/\/?([?#].*)?$/s, "") : where}/${name}`;

const isUrl = (where: string): boolean => /^https?:\/\//i.test(where);

const isReadStore = (value: unknown): value is ReadStore =>
  typeof value === "object" &&
  value !== null &&
  "size" in value &&
  typeof value.size === "function" &&
  "read" in value &&
  typeof value.read === "function";

/** How much is asked for at once where all of an object is read. */
const stretch = 2 ** 22;

/** All of an object, from its beginning. */
export async function* readAll(store: ReadStore, name: string, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < size; start += stretch) {
    const bytes = await store.read(name, start, Math.min(size, start + stretch));
    yield Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
