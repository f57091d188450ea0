// The best evaluation so far, and the head as it was then: what `load_best_model_at_end` ends with.

import { didYouMean } from "../../checks/hints.ts";
import { printable } from "../../checks/printable.ts";
import type { Tensor } from "../tensors.ts";
import type { BestRule } from "./config.ts";
import type { Parameters } from "./parameters.ts";

/** The best evaluation so far: behind which step, and its metric. */
export interface BestSoFar {
  readonly step: number;
  readonly metric: string;
  readonly value: number;
}

export interface Best {
  readonly soFar: BestSoFar | undefined;
  /** The head as it was then, by the names of its arrays; empty where it is not asked for. */
  readonly kept: Readonly<Record<string, Tensor>>;
  /** Looks at an evaluation; whether it is the best so far. */
  see(step: number, metrics: Readonly<Record<string, number>>): Promise<boolean>;
  /** What a checkpoint knew. */
  restore(soFar: BestSoFar, kept: Readonly<Record<string, Tensor>>): void;
  /** Puts the best head in place of the last one. */
  load(): void;
}

export function openBest(rule: BestRule, parameters: Parameters, warn: (text: string) => void): Best {
  const { metric, greater, load } = rule;
  let soFar: BestSoFar | undefined;
  let kept: Readonly<Record<string, Tensor>> = {};
  let isKnown = true;
  return {
    get soFar() {
      return soFar;
    },
    get kept() {
      return kept;
    },
    async see(step, metrics) {
      const value = metrics[metric];
      if (value === undefined) {
        const names = Object.keys(metrics);
        const hint = didYouMean(metric, names, { lead: ". Did you mean " }) || `: there are ${names.join(", ")}`;
        if (isKnown) warn(`metric_for_best_model: not followed: ${printable(metric)} is no metric${hint}`);
        isKnown = false;
        return false;
      }
      // NaN is never better.
      const isBetter = soFar ? (greater ? value > soFar.value : value < soFar.value) : !Number.isNaN(value);
      if (!isBetter) return false;
      if (load) {
        await parameters.bring();
        kept = Object.fromEntries(parameters.list.map(({ name, host }) => [name, host.slice()]));
      }
      soFar = { step, metric, value };
      return true;
    },
    restore(before, tensors) {
      // Of another metric it is no measure.
      if (before.metric !== metric) return;
      soFar = before;
      kept = tensors;
    },
    load: () => parameters.put(kept),
  };
}
