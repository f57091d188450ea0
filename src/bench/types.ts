// What a benchmark measures, and what it leaves behind: the shape of `bench/results/*.json`.

import type { Inputs } from "./inputs.ts";

/** The kinds of work, as the report shows them. */
export type Group = "pairs" | "rows" | "logits" | "linear" | "optimiser" | "pool" | "start";

/** Work of one shape, which every candidate does. */
export interface Case {
  /** `<group>/<what>/<shape>`, as `logits/both/512x32000`. */
  readonly name: string;
  readonly group: Group;
  /** What is counted, in the singular: "pair", "row", "logit", "parameter", "call", "multiply-add". */
  readonly unit: string;
  /** Units of work in one run. */
  readonly units: number;
  /** What one run has to do at least; none where that is not the point. */
  readonly work?: Work;
  /** Whether `--quick` runs it too. */
  readonly quick: boolean;
  /** Seeded inputs and what float64 makes of them; made once for all candidates of the case, freed after them. */
  prepare(): Problem;
}

/** Bytes that are read and written once, and operations on floating-point numbers: a multiply-add is two, a division one. */
export interface Work {
  readonly bytes: number;
  /** Exact for products; for all else as our kernels compute it, counted in their source, and the same for every candidate. */
  readonly flops: number;
  /** Which of the machine's limits bounds it. */
  readonly bound: "bandwidth" | "multiply-add";
}

/** The inputs of a case, known to the candidates of its group, and the check of their results. */
export interface Problem {
  readonly inputs: Inputs;
  /**
   * The worst error of the results against float64, and of what. Throws Error, naming the number, where it is beyond what a float32
   * computation may lose: such a candidate is not timed
   */
  check(results: Readonly<Record<string, ArrayLike<number> | number>>): ResultError;
}

export interface ResultError {
  readonly value: number;
  /** What it is an error of, and relative to what: "log-prob of a token, absolute". */
  readonly of: string;
}

/** One way of doing the work of a case: a backend of ours, or a peer. */
export interface Candidate {
  /** "plain", "relaxed", "js", "pool-2", "webgpu", "onnxruntime-web", "tfjs-wasm", "jax-js", "plain-js", "torch". */
  readonly name: string;
  readonly ours: boolean;
  /** Where its arrays are: "allocate" in the backend's memory, "own" the caller's, "fresh" new ones handed over at every run. */
  readonly arrays: "allocate" | "own" | "fresh";
  /** Version of the library, for peers. */
  readonly version?: string;
  /** Gets ready to run a case; undefined where it has no form of it, an Error thrown where it should have and cannot. */
  open(work: Case, problem: Problem): Promise<Opened | undefined>;
}

export interface Opened {
  /** One run. A promise is awaited. A number of milliseconds under `elapsed` is its time, where the work was done in another process. */
  run(): unknown;
  /** Restores what a run destroys, untimed, before every run. */
  prepare?(): void;
  /** The results of the last run, which `gave` this, by the names `Problem.check` knows. */
  results(
    gave?: unknown,
  ):
    | Readonly<Record<string, ArrayLike<number> | number>>
    | Promise<Readonly<Record<string, ArrayLike<number> | number>>>;
  /** Bytes that the candidate holds beside inputs and outputs, where it can say. */
  scratch?(): number;
  close?(): void | Promise<void>;
}

/** What came of one candidate in one case. Times are nanoseconds a unit. */
export interface Figure {
  readonly case: string;
  readonly group: Group;
  readonly candidate: string;
  readonly ours: boolean;
  readonly arrays: Candidate["arrays"];
  readonly unit: string;
  readonly units: number;
  readonly median: number;
  /** First and third quartile of the rounds. */
  readonly lower: number;
  readonly upper: number;
  readonly min: number;
  /** One time a round, in the order they were taken: what `--compare` looks at. */
  readonly rounds: readonly number[];
  /** Share of the machine's limit as calibrated in this run, by the median. */
  readonly share?: { readonly of: Work["bound"]; readonly value: number };
  /** What one run of the case has to do at least. */
  readonly work?: Work;
  readonly error: ResultError;
  /** Bytes beside inputs and outputs. */
  readonly scratch?: number;
}

/** A candidate or a case that was not measured, and why. */
export interface Skipped {
  readonly case?: string;
  readonly candidate: string;
  readonly why: string;
}

/** One run in one runtime. */
export interface BenchResult {
  readonly schema: 1;
  /** ISO 8601, when the run began. */
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly platform: string;
    /** Processors that other programs took, just before it began and while it ran; absent where nobody can say. */
    readonly load?: readonly [before: number, during: number];
  };
  readonly runtime: {
    /** "node", "deno", "bun", "chromium", "firefox", "webkit", "workerd". */
    readonly name: string;
    readonly version: string;
    /** Smallest step of its clock, in milliseconds, as seen. */
    readonly clockStep: number;
    readonly crossOriginIsolated?: boolean;
  };
  /** This package's version, and the peers'. */
  readonly versions: Readonly<Record<string, string>>;
  readonly settings: {
    readonly quick: boolean;
    readonly seed: number;
    readonly rounds: number;
    /** Times are of the processor, not of a clock. */
    readonly processorTime?: boolean;
  };
  /** Limits of the machine, measured among the rounds: bytes a nanosecond read, multiply-adds a nanosecond of each module. */
  readonly limits: {
    readonly bandwidth: number;
    readonly plain: number;
    readonly relaxed?: number;
  };
  readonly figures: readonly Figure[];
  readonly skipped: readonly Skipped[];
  /** What a reader should know of this run: a busy machine, a clock too coarse. */
  readonly notes: readonly string[];
}
