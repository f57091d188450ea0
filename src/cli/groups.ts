// Means over the pairs that share a value of a column.

import { printable } from "../checks/printable.ts";
import type { PairLossResult } from "../types.ts";
import { refusal } from "./refusal.ts";

export interface Group {
  /** The value, as text; null for the pairs without one. */
  value: string | null;
  pairs: number;
  /** Mean loss of these pairs, where losses are of pairs. */
  loss?: number;
  "rewards/margins": number;
  "rewards/accuracies": number;
}

/** A column of prompts is none to group by. */
const mostGroups = 1000;

/** Gathers groups; `hasLosses` says whether a pair's loss is its own. */
export function gatherGroups(column: string, hasLosses: boolean) {
  const sums = new Map<string | null, { pairs: number; loss: number; margin: number; wins: number }>();
  return {
    add({ losses, chosenRewards, rejectedRewards }: PairLossResult, values: readonly unknown[]): void {
      for (const [i, value] of values.entries()) {
        const key = textOf(value, column);
        let sum = sums.get(key);
        if (!sum) {
          sum = { pairs: 0, loss: 0, margin: 0, wins: 0 };
          sums.set(key, sum);
          if (sums.size > mostGroups)
            throw refusal(`--group-by: ${printable(column)} has more than ${mostGroups} values`);
        }
        const [chosen, rejected] = [chosenRewards?.[i] ?? NaN, rejectedRewards?.[i] ?? NaN];
        sum.pairs++;
        sum.loss += losses[i] ?? NaN;
        sum.margin += chosen - rejected;
        sum.wins += chosen > rejected ? 1 : 0;
      }
    },
    /** The largest group first. */
    groups(): Group[] {
      if (sums.size === 1 && sums.has(null)) throw refusal(`--group-by: no pair has ${printable(column)}`);
      const groups = [...sums].map(([value, { pairs, loss, margin, wins }]) => ({
        value,
        pairs,
        ...(hasLosses && { loss: loss / pairs }),
        "rewards/margins": margin / pairs,
        "rewards/accuracies": wins / pairs,
      }));
      return groups.sort((a, b) => b.pairs - a.pairs);
    },
  };
}

function textOf(value: unknown, column: string): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "object" || typeof value === "symbol") {
    throw refusal(`--group-by: ${printable(column)} holds other than text and numbers`);
  }
  return String(value);
}
