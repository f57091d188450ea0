// transformers' schedules of the learning rate: what each makes of the rate at its peak, step by step.

import { finite, type Param, positive } from "../losses/ranges.ts";
import { notNegative } from "./hyper.ts";

/** Where a step stands: its number, and behind the warmup how far it is, from 0 to 1. */
export interface At {
  readonly step: number;
  readonly warmup: number;
  readonly total: number;
  readonly peak: number;
  readonly progress: number;
}

export type Kwargs = Readonly<Record<string, number | string | undefined>>;

/** What a key of `lr_scheduler_kwargs` may be: a number of this range, or one of these words. */
export type Kwarg = Param | readonly string[];

export interface Schedule {
  /** The share of the peak behind the warmup. */
  readonly factor: (at: At, kwargs: never) => number;
  /** The same within the warmup. Default: the steps taken over those of the warmup. */
  readonly rise?: (at: At, kwargs: never) => number;
  /** What `lrSchedulerKwargs` may hold, under transformers' names. */
  readonly kwargs: Readonly<Record<string, Kwarg>>;
  /** Sets of keys of which it needs one and no more. */
  readonly oneOf?: readonly string[];
}

const wave = (progress: number, cycles: number): number => 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));

const above = (least: number, factor: number): number => factor * (1 - least) + least;

interface MinLr {
  num_cycles?: number;
  min_lr?: number;
  min_lr_rate?: number;
  warmup_lr_rate?: number;
}

const leastOf = ({ peak }: At, { min_lr, min_lr_rate }: MinLr): number => min_lr_rate ?? (min_lr as number) / peak;

const minLrKwargs = {
  ...{ num_cycles: finite(0.5), min_lr: notNegative(0), min_lr_rate: notNegative(0) },
} as const;

interface StableDecay {
  num_decay_steps: number;
  num_stable_steps?: number;
  warmup_type?: string;
  decay_type?: string;
  min_lr_ratio?: number;
  num_cycles?: number;
}

const shapes = ["linear", "cosine", "1-sqrt"] as const;

/** A way from 0 to 1, as the warmup goes. */
const risen = (type: string, x: number): number =>
  type === "linear" ? x : type === "cosine" ? 0.5 * (1 - Math.cos(Math.PI * x)) : 1 - Math.sqrt(1 - x);

export const schedules: Readonly<Record<string, Schedule>> = {
  linear: { factor: ({ progress }) => 1 - progress, kwargs: {} },
  cosine: {
    factor: ({ progress }, { num_cycles = 0.5 }: { num_cycles?: number }) => Math.max(0, wave(progress, num_cycles)),
    kwargs: { num_cycles: finite(0.5) },
  },
  cosine_with_restarts: {
    factor: ({ progress }, { num_cycles = 1 }: { num_cycles?: number }) =>
      progress >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((num_cycles * progress) % 1)))),
    kwargs: { num_cycles: positive(1) },
  },
  polynomial: {
    factor: ({ peak, progress }, { lr_end = 1e-7, power = 1 }: { lr_end?: number; power?: number }) =>
      ((peak - lr_end) * (1 - progress) ** power + lr_end) / peak,
    kwargs: { lr_end: notNegative(1e-7), power: notNegative(1) },
  },
  inverse_sqrt: {
    factor: ({ step, warmup }, { timescale = warmup || 10_000 }: { timescale?: number }) =>
      1 / Math.sqrt((step + timescale - warmup) / timescale),
    kwargs: { timescale: positive(10_000) },
  },
  cosine_with_min_lr: {
    factor: (at, kwargs: MinLr) => Math.max(0, above(leastOf(at, kwargs), wave(at.progress, kwargs.num_cycles ?? 0.5))),
    kwargs: minLrKwargs,
    oneOf: ["min_lr", "min_lr_rate"],
  },
  // Its warmup ends at the peak, and its way down has begun by a step then.
  cosine_warmup_with_min_lr: {
    factor: (at, kwargs: MinLr) => {
      const progress = (at.step - at.warmup + 1) / Math.max(1, at.total - at.warmup);
      return Math.max(0, above(leastOf(at, kwargs), wave(progress, kwargs.num_cycles ?? 0.5)));
    },
    rise: ({ step, warmup }, { warmup_lr_rate: first }: MinLr) =>
      first === undefined ? (step + 1) / Math.max(1, warmup) : first + ((1 - first) * step) / Math.max(1, warmup - 1),
    kwargs: { ...minLrKwargs, warmup_lr_rate: notNegative(0) },
    oneOf: ["min_lr", "min_lr_rate"],
  },
  warmup_stable_decay: {
    factor: ({ step, warmup, total }, kwargs: StableDecay) => {
      const { num_decay_steps: decay, num_stable_steps: stable = total - warmup - decay } = kwargs;
      const { decay_type = "cosine", min_lr_ratio = 0, num_cycles = 0.5 } = kwargs;
      const behind = step - warmup - stable;
      if (behind < 0) return 1;
      if (behind >= decay) return min_lr_ratio;
      const progress = behind / Math.max(1, decay);
      const factor =
        decay_type === "cosine"
          ? wave(progress, num_cycles)
          : 1 - (decay_type === "linear" ? progress : Math.sqrt(progress));
      return Math.max(0, above(min_lr_ratio, factor));
    },
    rise: ({ step, warmup }, { warmup_type = "linear", min_lr_ratio = 0 }: StableDecay) =>
      Math.max(0, above(min_lr_ratio, risen(warmup_type, step / Math.max(1, warmup)))),
    kwargs: {
      ...{ num_decay_steps: notNegative(0), num_stable_steps: notNegative(0), min_lr_ratio: notNegative(0) },
      ...{ warmup_type: shapes, decay_type: shapes, num_cycles: finite(0.5) },
    },
    oneOf: ["num_decay_steps"],
  },
  constant_with_warmup: { factor: () => 1, kwargs: {} },
  constant: { factor: () => 1, kwargs: {} },
};
