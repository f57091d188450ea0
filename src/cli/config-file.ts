// A configuration's file: JSON or YAML, and where its keys stand, for what is to be said of them.

import { createReadStream } from "node:fs";
import { extname } from "node:path";
import type { TrlConfig } from "../from-trl/from-trl.ts";
import { unpacked } from "./bytes.ts";
import { lineAndColumn, parseTolerant } from "./json.ts";
import { readText } from "./json-rows.ts";
import { fileProblem, isSystemError, kindOfJson, refusal } from "./refusal.ts";
import { parseYaml } from "./yaml.ts";

export interface ConfigFile {
  readonly config: TrlConfig;
  /** Where a key stands: "dpo.yaml:3:1"; the file alone for one that it has not. */
  place(key: string): string;
}

/** Throws    a refusal that names the file, and where it can line and column */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const keys = new Map<string, number>();
  const text = await readFile(file);
  const placeOf = (at: number | undefined): string => {
    if (at === undefined) return file;
    const { line, column } = lineAndColumn(text, at);
    return `${file}:${line}:${column}`;
  };
  const isYaml = isYamlText(file, text);
  const parsed = isYaml ? parseYaml(text, keys) : parseTolerant(text, keys);
  if ("problem" in parsed) {
    throw refusal(`${placeOf(parsed.at)}: not ${isYaml ? "YAML of a recipe" : "JSON"}: ${parsed.problem}`);
  }
  const { value } = parsed;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refusal(`${file}: expected an object, got ${kindOfJson(value)}`);
  }
  return { config: value as TrlConfig, place: (key) => placeOf(keys.get(key)) };
}

/** By its name; where that has no ending, by how the text begins. */
const isYamlText = (file: string, text: string): boolean =>
  /\.ya?ml(\.\w+)?$/i.test(file) || (extname(file) === "" && !/^\s*[[{]/.test(text));

async function readFile(file: string): Promise<string> {
  try {
    return await readText(file, unpacked(file, createReadStream(file)));
  } catch (error) {
    throw isSystemError(error) ? fileProblem(file, error) : error;
  }
}
