// The keys of a configuration that nothing reads: harmless, renamed, at work elsewhere, or unknown.

import { elsewhereKeys, formerKeys, knownKeys, otherTrainers } from "./keys.ts";
import { nearest } from "./nearest.ts";
import type { TrlConfig } from "./read.ts";
import type { Reading } from "./reading.ts";

const isElsewhere = (key: string): key is keyof typeof elsewhereKeys => Object.hasOwn(elsewhereKeys, key);

/** What is to be said of a key, if anything. */
function remark(key: string, config: TrlConfig): string | undefined {
  const now = Object.entries(formerKeys).find(([, former]) => former === key)?.[0];
  if (now !== undefined) {
    const both = (config[now] ?? null) !== null;
    return both ? `the old name of ${now}, which is given too and counts` : `read as ${now}, its newer name`;
  }
  if (isElsewhere(key)) {
    const { off, says }: { readonly off: readonly unknown[]; readonly says: string } = elsewhereKeys[key];
    return off.includes(config[key]) ? undefined : says;
  }
  if (knownKeys.includes(key)) return undefined;
  if (Object.hasOwn(otherTrainers, key)) return `a key of ${otherTrainers[key]}, not of DPOConfig; ignored`;
  const near = nearest(key, knownKeys);
  return `not a key of DPOConfig; ignored${near === undefined ? "" : `. Did you mean ${near}?`}`;
}

/** Warns of every key that is given and is not simply read or harmless. */
export function warnOfKeys(config: TrlConfig, { warn }: Reading): void {
  for (const [key, value] of Object.entries(config)) {
    if (value === null || value === undefined) continue;
    const text = remark(key, config);
    if (text !== undefined) warn(key, text);
  }
}
