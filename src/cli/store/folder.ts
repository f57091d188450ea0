// Files of a folder, read by ranges of bytes.

import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "../refusal.ts";
import type { ReadStore } from "./types.ts";

/** The system reads no more than 2 GiB at once. */
const longestRead = 2 ** 30;

export function folderStore(folder: string): ReadStore {
  return {
    size: async (name) => {
      try {
        return (await stat(join(folder, name))).size;
      } catch (error) {
        if (isSystemError(error) && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    read: (name, start, end) => readRange(join(folder, name), start, end),
  };
}

/** Bytes of a file. Throws    an error of the system, or where the file ends before */
export async function readRange(path: string, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - start);
  const file = await open(path);
  try {
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, longestRead), start + done);
      if (bytesRead === 0) throw new Error("the file ends too early");
      done += bytesRead;
    }
  } finally {
    await file.close();
  }
  return bytes;
}
