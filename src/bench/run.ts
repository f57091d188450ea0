// One benchmark in the runtime that it is called in.

import packageJson from "../../package.json" with { type: "json" };
import { BackendError } from "../errors.ts";
import { createBudget, runTotals } from "./budget.ts";
import { calibrations, type LoadCalibration } from "./calibrate.ts";
import { selectCases } from "./cases/index.ts";
import { type Clock, clockStep } from "./clock.ts";
import { type Calibrated, figuresOf, limitsOf, type Measured, notesOn } from "./figures.ts";
import { coresOf, runtimeOf } from "./place.ts";
import { generator } from "./random.ts";
import { noTime, timeCase } from "./time-case.ts";
import type { BenchResult, Candidate, Case, Figure, Skipped } from "./types.ts";

export interface RunOptions {
  /** What takes part: `ours()` and peers. What cannot is named in the result. */
  readonly candidates: readonly (Candidate | Skipped)[];
  /** The few cases of a look that takes seconds. */
  readonly quick?: boolean | undefined;
  /** Names of cases, or patterns; default: all of the table. */
  readonly cases?: readonly string[] | undefined;
  /** Of the order in each round. Default 1. */
  readonly seed?: number | undefined;
  /**
   * Milliseconds of the whole run: where they are short, cases have fewer rounds, three at least, then some cases are left out. Default
   * 9,000 with `quick`, 100,000 without, and no end where `cases` are named.
   */
  readonly total?: number | undefined;
  /** Milliseconds of each case's rounds. Default 300 with `quick`, 600 without. */
  readonly budget?: number | undefined;
  /** Rounds at most. Default 20 with `quick`, 30 without. */
  readonly rounds?: number | undefined;
  /** What the runtime itself does not know. */
  readonly machine?: Partial<Omit<BenchResult["machine"], "load">> | undefined;
  readonly runtime?: Partial<BenchResult["runtime"]> | undefined;
  /** Milliseconds. Default: `performance.now`. */
  readonly now?: Clock | undefined;
  /** Frees garbage. */
  readonly collect?: (() => void) | undefined;
  readonly calibrationModule?: LoadCalibration | undefined;
  readonly onProgress?: ((progress: Progress) => void | Promise<void>) | undefined;
  /** Told after each case but the last what the result would be if the run ended here. */
  readonly onPart?: ((soFar: BenchResult) => void | Promise<void>) | undefined;
}

export interface Progress {
  /** How many there are. */
  readonly cases: number;
  /** The one in progress. */
  readonly case: string;
  /** What is done of all of them, from 0 to 1. */
  readonly done: number;
  /** The candidate that is about to be opened, which may not answer. */
  readonly candidate?: string;
  /** Those of the case, once it is done. */
  readonly figures?: readonly Figure[];
}

/** Milliseconds of all, of one run of a candidate, and until one is taken for one that never answers. */
const quickLimits = { total: runTotals.quick, longest: 1000, patience: 20_000 };
const wholeLimits = { total: runTotals.whole, longest: 4000, patience: 30_000 };
/** What is asked for is measured, however long it takes. */
const unlimited = { total: Infinity, longest: Infinity, patience: Infinity };

/** Those of quick runs first: they say the most, and where time is short the last ones are left out. */
const inOrder = (cases: readonly Case[]): Case[] => [...cases].sort((a, b) => Number(b.quick) - Number(a.quick));

const isCandidate = (item: Candidate | Skipped): item is Candidate => "open" in item;

/**
 * Measures every case with all candidates, in interleaved rounds, after each one's results have been checked against float64.
 *
 * Returns   figures, and with the reason what was not measured
 * Throws    ParamError if `cases` names no case
 * @example  import { ours, run, toCsv } from "dpo-kernels/bench";
 *
 *           const result = await run({ candidates: await ours(), cases: ["pairs/sigmoid/8"], budget: 20 });
 *           console.log(result.figures[0].case); // pairs/sigmoid/8
 *           const csv = toCsv([result]); // toBencher and toResultFile are the other formats
 */
export async function run(options: RunOptions): Promise<BenchResult> {
  const { quick = false, seed = 1, now = () => performance.now(), onProgress } = options;
  const { budget = quick ? 300 : 600, rounds = quick ? 20 : 30 } = options;
  const cases = selectCases({ patterns: options.cases, quick });
  const start = await now();
  const date = new Date().toISOString();
  const step = await clockStep(now);
  if (step === 0) throw new BackendError("unavailable", "clock: expected one that moves while work is done, got none");
  const limits = options.cases ? unlimited : quick ? quickLimits : wholeLimits;
  const { total = limits.total } = options;
  const candidates = options.candidates.filter(isCandidate);
  const skipped = options.candidates.filter((item): item is Skipped => !isCandidate(item));
  const loops = await calibrations(quick ? 32 << 20 : 64 << 20, { now, step }, options.calibrationModule);
  const random = generator(seed);
  const measured: Measured[] = [];
  const calibrated: Calibrated[] = [];
  const time = createBudget(cases, total, start);
  for (const [k, work] of inOrder(cases).entries()) {
    const tell = (part: number, more: Pick<Progress, "candidate" | "figures"> = {}) =>
      onProgress?.({ cases: cases.length, case: work.name, done: (k + part) / cases.length, ...more });
    await tell(0);
    const own = time.timeOf(work, await now());
    if (!own) {
      skipped.push({ case: work.name, candidate: "all candidates", why: noTime });
      continue;
    }
    const found = await timeCase(work, candidates, loops, {
      ...{ budget, rounds, now, step, random, ...own, earlier: measured },
      ...{ longest: limits.longest, patience: limits.patience, collect: options.collect, onRound: tell },
      onCandidate: (candidate) => tell(0, { candidate }),
    });
    measured.push(...found.measured);
    calibrated.push(...found.calibrated);
    skipped.push(...found.skipped);
    await tell(1, { figures: figuresOf(found.measured) });
    if (k < cases.length - 1) await options.onPart?.(resultNow());
  }
  return resultNow();

  function resultNow(): BenchResult {
    const machineLimits = limitsOf(calibrated);
    const inTable = [...measured].sort((a, b) => cases.indexOf(a.work) - cases.indexOf(b.work));
    return {
      schema: 1,
      date,
      machine: { cpu: "", cores: coresOf(), platform: "", ...options.machine },
      runtime: { ...runtimeOf(), clockStep: step, ...options.runtime },
      versions: {
        "dpo-kernels": packageJson.version,
        ...Object.fromEntries(candidates.flatMap(({ name, version }) => (version ? [[name, version]] : []))),
      },
      settings: { quick, seed, rounds },
      limits: machineLimits,
      figures: figuresOf(inTable, machineLimits),
      skipped: [...skipped],
      notes: notesOn({ calibrated, step }),
    };
  }
}
