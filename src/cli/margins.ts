// How the margins of rewards are spread: quantiles, and a histogram that fits into a line.

import type { PairLossResult } from "../types.ts";

export interface Margins {
  /** Of the margins that are numbers: least, 5 %, quarter, median, three quarters, 95 %, greatest. */
  quantiles: Record<string, number>;
  /** Pairs in bins of equal width from `from` to `to`, the finite extremes. */
  histogram: { from: number; to: number; counts: number[] };
}

const shares = { min: 0, "5%": 0.05, "25%": 0.25, "50%": 0.5, "75%": 0.75, "95%": 0.95, max: 1 };
const bins = 24;

/** Gathers margins, four bytes a pair. */
export function gatherMargins() {
  let values = new Float32Array(65536);
  let count = 0;
  return {
    add({ chosenRewards, rejectedRewards }: PairLossResult): void {
      const n = chosenRewards?.length ?? 0;
      if (count + n > values.length) {
        const larger = new Float32Array(2 * (count + n));
        larger.set(values.subarray(0, count));
        values = larger;
      }
      for (let i = 0; i < n; i++) {
        const margin = (chosenRewards?.[i] ?? NaN) - (rejectedRewards?.[i] ?? NaN);
        if (!Number.isNaN(margin)) values[count++] = margin;
      }
    },
    /** Undefined without a margin. */
    spread(): Margins | undefined {
      return count === 0 ? undefined : spreadOf(values.subarray(0, count).sort());
    },
  };
}

/** Quantiles lie between neighbours, as numpy has them by default. */
function spreadOf(sorted: Float32Array): Margins {
  const last = sorted.length - 1;
  const quantile = (share: number): number => {
    const at = share * last;
    const [low, high] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
    return low === high ? low : low + (at - Math.floor(at)) * (high - low);
  };
  const finite = sorted.filter(Number.isFinite);
  const [from, to] = [finite[0] ?? 0, finite.at(-1) ?? 0];
  const counts = new Array<number>(bins).fill(0);
  for (const value of finite) {
    const bin = from === to ? 0 : Math.min(bins - 1, Math.floor(((value - from) / (to - from)) * bins));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const quantiles = Object.fromEntries(Object.entries(shares).map(([name, share]) => [name, quantile(share)]));
  return { quantiles, histogram: { from, to, counts } };
}

const blocks = "▁▂▃▄▅▆▇█";

/** The counts as a line of blocks, empty bins as spaces. */
export function sparkline(counts: readonly number[]): string {
  const most = Math.max(...counts);
  return counts.map((count) => (count === 0 ? " " : blocks[Math.ceil((count / most) * 8) - 1])).join("");
}
