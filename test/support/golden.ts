// The golden vectors (test/golden/README.md) as calls of this package.

import { readFileSync } from "node:fs";
import { fromTrl } from "../../src/index.ts";
import type { LossOptions, PairLogps } from "../../src/types.ts";
import type { Want } from "./bound.ts";

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
  /** One list per loss, unweighted. */
  per_pair: number[][];
  grad_chosen: number[];
  grad_rejected: number[];
  metrics?: Record<string, number>;
  rewards_chosen?: number[];
  rewards_rejected?: number[];
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

/** Consecutive steps that share one running mean. */
export interface Run {
  id: string;
  hyper: { beta: number };
  steps: ({ inputs: Batch; delta: number; count: number } & Omit<Block, "per_pair"> & { per_pair: number[] })[];
}

const special: Record<string, number> = { NaN: Number.NaN, Infinity, "-Infinity": -Infinity };

/** A file of golden vectors; the strings that stand for NaN and the infinities become numbers. */
export function readGolden<T>(name: string): T {
  const text = readFileSync(new URL(`../golden/${name}`, import.meta.url), "utf8");
  return JSON.parse(text, (_key, value) => (typeof value === "string" && value in special ? special[value] : value));
}

/** A batch as float32 arrays. The old `dpo_loss` took log-probs that were averages already: lengths of 1. */
export function pairsOfBatch(batch: Batch, averaged: boolean): PairLogps {
  const ones = batch.policy_chosen_logps.map(() => 1);
  return {
    policyChosen: Float32Array.from(batch.policy_chosen_logps),
    policyRejected: Float32Array.from(batch.policy_rejected_logps),
    referenceChosen: Float32Array.from(batch.ref_chosen_logps),
    referenceRejected: Float32Array.from(batch.ref_rejected_logps),
    chosenLengths: Float32Array.from((!averaged && batch.chosen_lengths) || ones),
    rejectedLengths: Float32Array.from((!averaged && batch.rejected_lengths) || ones),
  };
}

/** The loss options of a case, read as the TRL version that made it would. */
export function optionsOf(
  { loss_types, loss_weights, hyper }: Pick<Case, "loss_types" | "loss_weights" | "hyper">,
  version?: string,
): LossOptions {
  const weights = loss_weights ? { loss_weights } : {};
  return fromTrl({ loss_type: loss_types, ...weights, ...hyper }, { version }).loss;
}

/** What the case expects: `stable_f64` where it is present. */
export function wantOf({ loss_types, loss_weights, f64, stable_f64 }: Case): Want {
  const { loss, per_pair, grad_chosen, grad_rejected } = stable_f64 ?? f64;
  const weights = loss_weights ?? loss_types.map(() => 1);
  const pairs = (per_pair[0] as number[]).map((_, i) => i);
  const losses = pairs.map((i) =>
    per_pair.reduce((sum, list, j) => sum + (weights[j] as number) * (list[i] as number), 0),
  );
  return {
    loss,
    losses,
    gradChosen: grad_chosen,
    gradRejected: grad_rejected,
    ...(f64.metrics ? { metrics: f64.metrics } : {}),
  };
}
