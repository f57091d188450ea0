// A store in the origin's private file system, which pages keep when they are closed.

import { BackendError } from "../errors.ts";
import type { Store } from "./trainer/types.ts";

/** What this uses of the file system, whose types not every library has. */
interface Folder {
  getDirectoryHandle(name: string, options: { create: boolean }): Promise<Folder>;
  getFileHandle(name: string, options?: { create: boolean }): Promise<File>;
  removeEntry(name: string): Promise<void>;
  keys(): AsyncIterable<string>;
}

interface File {
  getFile(): Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>;
  createWritable(): Promise<{
    write(bytes: Uint8Array): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }>;
}

/**
 * A store in a folder of the origin's private file system (OPFS), for checkpoints in a page. What is written takes the place of what
 * was there when it is whole.
 *
 * Throws    BackendError where there is no such file system: in Node, and in pages that are not secure contexts
 */
export async function opfsStore(name: string): Promise<Store> {
  const { storage } = (globalThis.navigator ?? {}) as { storage?: { getDirectory?(): Promise<Folder> } };
  if (typeof storage?.getDirectory !== "function") {
    throw new BackendError("unavailable", "opfsStore: expected a page in a secure context (https or localhost)");
  }
  const folder = await (await storage.getDirectory()).getDirectoryHandle(name, { create: true });
  const isMissing = (error: unknown): boolean => (error as { name?: unknown } | null)?.name === "NotFoundError";
  return {
    async read(file) {
      try {
        const handle = await folder.getFileHandle(file);
        return new Uint8Array(await (await handle.getFile()).arrayBuffer());
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async write(file, bytes) {
      const handle = await folder.getFileHandle(file, { create: true });
      const writable = await handle.createWritable();
      try {
        await writable.write(bytes);
      } catch (error) {
        await writable.abort();
        throw error;
      }
      await writable.close();
    },
    async list() {
      const names: string[] = [];
      // A write that was cut short leaves a file of Chromium's beside its own.
      for await (const file of folder.keys()) if (!file.endsWith(".crswap")) names.push(file);
      return names;
    },
    async remove(file) {
      await folder.removeEntry(file).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    },
  };
}
