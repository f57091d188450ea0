// Rounds of a benchmark as a busy machine gives them, seeded.

import { generator } from "../../src/bench/random.ts";
import type { BenchResult, Figure } from "../../src/bench/types.ts";

export interface Noise {
  /** Share of the rounds in which something else runs too, in bursts, and takes up to three times as long. */
  readonly busy?: number;
  /** By how much of itself the machine's speed wanders in a run. */
  readonly drift?: number;
  /** By how much one run differs from another, beside its rounds. */
  readonly between?: number;
}

export interface Series {
  readonly case: string;
  readonly candidate: string;
  /** What a round takes without noise. */
  readonly time: number;
}

/** One run of all series: the noise of a round is partly that of the round, partly each candidate's own. */
export function runOf(series: readonly Series[], rounds: number, seed: number, noise: Noise = {}): BenchResult {
  const { busy = 0.3, drift = 0.1, between = 0 } = noise;
  const random = generator(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const times: number[][] = series.map(() => []);
  const place = series.map(() => Math.exp(between * normal()));
  let isBusy = random() < busy;
  for (let round = 0; round < rounds; round++) {
    const wander = 1 + drift * Math.sin((2 * Math.PI * round) / rounds + seed);
    // A burst lasts for three turns on average.
    if (random() < 1 / 3) isBusy = random() < busy;
    for (const [i, { time }] of series.entries()) {
      const disturbed = isBusy && random() < 0.8 ? 1 + 2 * random() : 1;
      times[i]?.push(time * (place[i] as number) * wander * disturbed * Math.exp(0.02 * normal()));
    }
  }
  return resultOf(series.map((one, i) => figureOf(one, times[i] as number[])));
}

function figureOf({ case: name, candidate, time }: Series, rounds: readonly number[]): Figure {
  return {
    case: name,
    group: "pairs",
    candidate,
    ours: true,
    arrays: "allocate",
    unit: "pair",
    units: 1000,
    median: time,
    lower: time,
    upper: time,
    min: time,
    rounds,
    error: { value: 0, of: "nothing" },
  };
}

export const resultOf = (figures: readonly Figure[], limits = { bandwidth: 10, plain: 20 }): BenchResult => ({
  schema: 1,
  date: "2026-11-30T00:00:00Z",
  machine: { cpu: "a processor", cores: 2, platform: "linux x64" },
  runtime: { name: "node", version: "26.0.0", clockStep: 0.001 },
  versions: { "dpo-kernels": "0.1.0" },
  settings: { quick: false, seed: 1, rounds: figures[0]?.rounds.length ?? 0 },
  limits,
  figures,
  skipped: [],
  notes: [],
});
