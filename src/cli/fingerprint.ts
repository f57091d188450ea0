// What a job depends on, as hashes: what was computed before goes with what is computed now only where all of them are the same.

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { fileProblem } from "./refusal.ts";

/** Hashes by what they are of. */
export type Fingerprint = Readonly<Record<string, string>>;

const tokenizerFiles = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

export const version: string = packageJson.version;

export const hashOfText = (text: string): string => createHash("sha256").update(text).digest("hex");

export const hashOfTokenizer = (folder: string): Promise<string> =>
  hashOf(tokenizerFiles.map((name) => join(folder, name)).filter((path) => existsSync(path)));

/** Of a folder and its file of weights. */
export const hashOfModel = async (folder: string, weights: string): Promise<string> =>
  hashOf(await modelFiles([folder, weights]));

// Large weights lie in further files that begin like the first.
async function modelFiles([folder, weights]: readonly [string, string]): Promise<string[]> {
  const parts = await readdir(dirname(weights));
  const own = parts.map((name) => join(dirname(weights), name)).filter((path) => path.startsWith(weights));
  return [join(folder, "config.json"), ...own.sort()].filter((path) => existsSync(path));
}

/** Reads all of the files once. Throws    a refusal for one that cannot be read */
export async function hashOf(paths: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of paths) {
    let bytes = 0;
    try {
      for await (const chunk of createReadStream(path)) {
        hash.update(chunk as Buffer);
        bytes += (chunk as Buffer).length;
      }
    } catch (error) {
      throw fileProblem(path, error);
    }
    // Where one file ends and the next begins.
    hash.update(`\0${bytes}\0`);
  }
  return hash.digest("hex");
}
