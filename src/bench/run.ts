// One benchmark in the runtime that it is called in.

import packageJson from "../../package.json" with { type: "json" };
import { BackendError } from "../errors.ts";
import { calibrations, type LoadCalibration } from "./calibrate.ts";
import { selectCases } from "./cases/index.ts";
import { type Clock, clockStep } from "./clock.ts";
import { type Calibrated, figuresOf, limitsOf, type Measured, notesOn } from "./figures.ts";
import { coresOf, runtimeOf } from "./place.ts";
import { generator } from "./random.ts";
import { timeCase } from "./time-case.ts";
import type { BenchResult, Candidate, Figure, Skipped } from "./types.ts";

export interface RunOptions {
  /** What takes part: `ours()` and peers. What cannot is named in the result. */
  readonly candidates: readonly (Candidate | Skipped)[];
  /** The few cases of a look that takes seconds. */
  readonly quick?: boolean | undefined;
  /** Names of cases, or patterns; default: all of the table. */
  readonly cases?: readonly string[] | undefined;
  /** Of the order in each round. Default 1. */
  readonly seed?: number | undefined;
  /** Milliseconds of each case's rounds. Default 300 with `quick`, 600 without. */
  readonly budget?: number | undefined;
  /** Rounds at most. Default 20 with `quick`, 30 without. */
  readonly rounds?: number | undefined;
  /** What the runtime itself does not know. */
  readonly machine?: Partial<Omit<BenchResult["machine"], "load">> | undefined;
  /** Processes that want to run, asked before and after. */
  readonly load?: (() => number) | undefined;
  readonly runtime?: Partial<BenchResult["runtime"]> | undefined;
  /** Milliseconds. Default: `performance.now`. */
  readonly now?: Clock | undefined;
  /** Frees garbage. */
  readonly collect?: (() => void) | undefined;
  readonly calibrationModule?: LoadCalibration | undefined;
  readonly onProgress?: ((progress: Progress) => void | Promise<void>) | undefined;
}

export interface Progress {
  /** How many there are. */
  readonly cases: number;
  /** The one in progress. */
  readonly case: string;
  /** What is done of all of them, from 0 to 1. */
  readonly done: number;
  /** Those of the case, once it is done. */
  readonly figures?: readonly Figure[];
}

const isCandidate = (item: Candidate | Skipped): item is Candidate => "open" in item;

/**
 * Measures cases by all candidates, in interleaved rounds, after the check of each one's results against float64.
 *
 * Throws    ParamError, where `cases` names none
 */
export async function run(options: RunOptions): Promise<BenchResult> {
  const { quick = false, seed = 1, now = () => performance.now(), load, onProgress } = options;
  const { budget = quick ? 300 : 600, rounds = quick ? 20 : 30 } = options;
  const cases = selectCases({ patterns: options.cases, quick });
  const before = load?.();
  const date = new Date().toISOString();
  const step = await clockStep(now);
  if (step === 0) throw new BackendError("unavailable", "clock: expected one that moves while work is done, got none");
  const candidates = options.candidates.filter(isCandidate);
  const skipped = options.candidates.filter((item): item is Skipped => !isCandidate(item));
  const loops = await calibrations(quick ? 32 << 20 : 64 << 20, { now, step }, options.calibrationModule);
  const random = generator(seed);
  const measured: Measured[] = [];
  const calibrated: Calibrated[] = [];
  for (const [k, work] of cases.entries()) {
    const onRound = (part: number) =>
      onProgress?.({ cases: cases.length, case: work.name, done: (k + part) / cases.length });
    await onRound(0);
    // A shape that is asked for is measured, however long it takes.
    const longest = options.cases ? Infinity : quick ? 1000 : 4000;
    const settings = { budget, rounds, now, step, random, collect: options.collect, onRound, longest };
    const found = await timeCase(work, candidates, loops, { ...settings, earlier: measured });
    measured.push(...found.measured);
    calibrated.push(...found.calibrated);
    skipped.push(...found.skipped);
    await onProgress?.({
      cases: cases.length,
      case: work.name,
      done: (k + 1) / cases.length,
      figures: figuresOf(found.measured),
    });
  }
  const limits = limitsOf(calibrated);
  const after = load?.();
  return {
    schema: 1,
    date,
    machine: {
      cpu: "",
      cores: coresOf(),
      platform: "",
      ...options.machine,
      ...(before !== undefined && after !== undefined ? { load: [before, after] as const } : {}),
    },
    runtime: { ...runtimeOf(), clockStep: step, ...options.runtime },
    versions: {
      "dpo-kernels": packageJson.version,
      ...Object.fromEntries(candidates.flatMap(({ name, version }) => (version ? [[name, version]] : []))),
    },
    settings: { quick, seed, rounds },
    limits,
    figures: figuresOf(measured, limits),
    skipped,
    notes: notesOn({ calibrated, step, load: before }),
  };
}
