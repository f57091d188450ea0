// The keys of a configuration that nothing reads: harmless, renamed, at work elsewhere, or unknown.

import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { trainingSynonyms } from "../checks/training-synonyms.ts";
import { elsewhereKeys, formerKeys, knownKeys, otherTools, otherTrainers } from "./keys.ts";
import type { TrlConfig } from "./read.ts";
import type { Reading } from "./reading.ts";

const synonyms = [...lossSynonyms, ...trainingSynonyms];

const isElsewhere = (key: string): key is keyof typeof elsewhereKeys => Object.hasOwn(elsewhereKeys, key);

const known: ReadonlySet<string> = new Set(knownKeys);
const newerNames: ReadonlyMap<string, string> = new Map(
  Object.entries(formerKeys).map(([now, former]) => [former, now]),
);

/** What is to be said of a key, if anything. */
function remark(key: string, config: TrlConfig): string | undefined {
  const now = newerNames.get(key);
  if (now !== undefined) {
    const both = (config[now] ?? null) !== null;
    return both ? `the old name of ${now}, which is given too and counts` : `read as ${now}, its newer name`;
  }
  if (isElsewhere(key)) {
    const { off, says }: { readonly off: readonly unknown[]; readonly says: string } = elsewhereKeys[key];
    return off.includes(config[key]) ? undefined : says;
  }
  if (known.has(key)) return undefined;
  if (Object.hasOwn(otherTrainers, key)) return `a key of ${otherTrainers[key]}, not of DPOConfig; ignored`;
  if (Object.hasOwn(otherTools, key)) return `not a key of DPOConfig; ignored: ${otherTools[key]}`;
  return `not a key of DPOConfig; ignored${didYouMean(key, knownKeys, { synonyms, lead: ". Did you mean " })}`;
}

/** Warns of every key that is given and is not simply read or harmless. */
export function warnOfKeys(config: TrlConfig, { warn }: Reading): void {
  for (const [key, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    const text = remark(key, config);
    if (text !== undefined) warn(key, text);
  }
}
