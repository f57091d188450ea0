// What logitScale, logitSoftcap and temperature make of logits, written down in float64 as losses have it, to compare with.

import type { LogitOptions } from "../../src/types.ts";

/** One logit after its transform. */
export function transformOf({ logitScale = 1, logitSoftcap, temperature = 1 }: LogitOptions, x: number): number {
  const scaled = logitScale * x;
  return (logitSoftcap === undefined ? scaled : logitSoftcap * Math.tanh(scaled / logitSoftcap)) / temperature;
}

/** Its derivative. */
export function slopeOf({ logitScale = 1, logitSoftcap, temperature = 1 }: LogitOptions, x: number): number {
  const t = logitSoftcap === undefined ? 0 : Math.tanh((logitScale * x) / logitSoftcap);
  return ((1 - t * t) * logitScale) / temperature;
}

/** Transforms of every form. */
export const transforms: Readonly<Record<string, LogitOptions>> = {
  scale: { logitScale: 0.0625 },
  grow: { logitScale: 3.5 },
  softcap: { logitSoftcap: 30 },
  tight: { logitSoftcap: 1.5 },
  temperature: { temperature: 0.7 },
  all: { logitScale: 0.5, logitSoftcap: 7, temperature: 1.3 },
};
