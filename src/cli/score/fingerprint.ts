// What a job depends on, as hashes: what was computed before goes with what is computed now only where all of them are the same.

import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { fileProblem } from "../refusal.ts";

/** Hashes by what they are of, in words for the refusal. */
export type Fingerprint = Readonly<
  Record<"version" | "model" | "reference" | "tokenizer" | "data" | "options", string>
>;

export interface Parts {
  /** Folder and file of weights. */
  readonly model: readonly [folder: string, weights: string];
  readonly reference: readonly [folder: string, weights: string] | undefined;
  readonly data: readonly string[];
  readonly options: object;
}

const tokenizerFiles = ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

/** Reads all of it once. Throws    a refusal for a file that cannot be read */
export async function fingerprintOf({ model, reference, data, options }: Parts): Promise<Fingerprint> {
  const tokenizer = tokenizerFiles.map((name) => join(model[0], name)).filter((path) => existsSync(path));
  return {
    version: packageJson.version,
    model: await hashOf(await modelFiles(model)),
    reference: reference ? await hashOf(await modelFiles(reference)) : "",
    tokenizer: await hashOf(tokenizer),
    data: await hashOf(data),
    options: createHash("sha256").update(JSON.stringify(options)).digest("hex"),
  };
}

// Large weights lie in further files that begin like the first.
async function modelFiles([folder, weights]: readonly [string, string]): Promise<string[]> {
  const parts = await readdir(dirname(weights));
  const own = parts.map((name) => join(dirname(weights), name)).filter((path) => path.startsWith(weights));
  return [join(folder, "config.json"), ...own.sort()].filter((path) => existsSync(path));
}

async function hashOf(paths: readonly string[]): Promise<string> {
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
