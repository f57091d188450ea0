// The keys of a configuration that nothing reads: harmless, renamed, at work elsewhere, or unknown.

import { collateSynonyms } from "../checks/collate-synonyms.ts";
import { didYouMean } from "../checks/hints.ts";
import { lossSynonyms } from "../checks/loss-synonyms.ts";
import { trainingSynonyms } from "../checks/training-synonyms.ts";
import { elsewhereKeys, formerKeys, knownKeys, otherTools, ownersOf, type Trainer } from "./keys.ts";
import { otherToolsLoss } from "./other-tools.ts";
import type { TrlConfig } from "./read.ts";
import type { Reading } from "./reading.ts";
import { configOf, lossOf } from "./trainers.ts";

const synonyms = [...lossSynonyms, ...collateSynonyms, ...trainingSynonyms];

const isElsewhere = (key: string): key is keyof typeof elsewhereKeys => Object.hasOwn(elsewhereKeys, key);

const known: ReadonlySet<string> = new Set(knownKeys);
const newerNames: ReadonlyMap<string, string> = new Map(
  Object.entries(formerKeys).map(([now, former]) => [former, now]),
);

/** What is to be said of a key, if anything. */
function remark(key: string, config: TrlConfig, trainer: Trainer): string | undefined {
  const name = configOf(trainer);
  const isItsLoss = key === "loss_type" && lossOf(trainer, String(config[key])) !== undefined;
  const owners = ownersOf(key);
  if (!owners.includes(trainer) && !isItsLoss)
    return `a key of ${owners.map(configOf).join(", ")}, not of ${name}; ignored`;
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
  const tool = Object.hasOwn(otherTools, key) ? otherTools[key] : otherToolsLoss(key, config[key]);
  if (tool !== undefined) return `not a key of ${name}; ignored: ${tool}`;
  return `not a key of ${name}; ignored${didYouMean(key, knownKeys, { synonyms, lead: ". Did you mean " })}`;
}

/** Warns of every key that is given and is not simply read or harmless. */
export function warnOfKeys(config: TrlConfig, { warn, trainer }: Reading): void {
  for (const [key, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    const text = remark(key, config, trainer);
    if (text !== undefined) warn(key, text);
  }
}
