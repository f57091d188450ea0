// The golden vectors (test/golden/README.md) and the bound within which they must be met.

import { readFileSync } from "node:fs";

export interface Batch {
  policy_chosen_logps: number[];
  policy_rejected_logps: number[];
  ref_chosen_logps: number[];
  ref_rejected_logps: number[];
  chosen_lengths?: number[];
  rejected_lengths?: number[];
}

export interface Block {
  loss: number;
  per_pair: number[][];
  grad_chosen: number[];
  grad_rejected: number[];
  metrics?: Record<string, number>;
}

export interface Case {
  id: string;
  batch: string;
  loss_types: string[];
  loss_weights?: number[];
  hyper: Record<string, unknown>;
  f64: Block;
  stable_f64?: Block;
}

const special: Record<string, number> = { NaN: Number.NaN, Infinity, "-Infinity": -Infinity };

/** A file of golden vectors; the strings that stand for NaN and the infinities become numbers. */
export function readGolden<T>(name: string): T {
  const text = readFileSync(new URL(`../golden/${name}`, import.meta.url), "utf8");
  return JSON.parse(text, (_key, value) => (typeof value === "string" && value in special ? special[value] : value));
}

export interface Tolerance {
  /** The largest magnitude of the vector that the value belongs to. */
  scale: number;
  /** What the float64 answer moves when inputs move by 2^-22, relative. */
  sensitivity: number;
  /** 2e-7·β/B. */
  floor: number;
}

/** |got − want| in units of what docs/numerics.md allows: 1e-5·max(|want|, scale) + 6·sensitivity + floor. */
export function excess(got: number, want: number, { scale, sensitivity, floor }: Tolerance): number {
  if (Object.is(got, want) || got === want || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  if (Math.abs(want) > 3.4e38) return 0; // beyond float32: exempt
  const bound = 1e-5 * Math.max(Math.abs(want), Number.isFinite(scale) ? scale : 0) + 6 * sensitivity + floor;
  const error = Math.abs(got - want);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / bound;
}
