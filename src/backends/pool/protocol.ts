// What a pool and its workers say to each other. Everything here survives structured cloning.

import type { EntropySlopes } from "../../engine.ts";
import type { FloatType } from "../../inputs/floats.ts";
import type { PairSums } from "../../inputs/pair-sums.ts";
import type { Transform } from "../../inputs/transform.ts";
import type { LossType } from "../../losses/index.ts";
import { type PairColumn, type PairResult, pairColumns } from "../../losses/kinds.ts";
import type { Argument } from "../../plan/logged.ts";
import type { Divergence } from "../../plan/plan.ts";
import type { LengthArray } from "../../types.ts";
import type { Gate } from "./gate.ts";
import type { WireError } from "./wire-error.ts";

/** What a worker is given once, before anything else. */
export interface Setup {
  /** The version of the pool, which must be the worker's. */
  version: string;
  /** The kernels, compiled: a worker fetches nothing. */
  module: WebAssembly.Module;
  /** Memory that all workers share, the kernels for it, and the address of this worker's own area in it. */
  shared: { module: WebAssembly.Module; memory: WebAssembly.Memory; area: number } | undefined;
  /** Where arrays go by reference: whether the worker may go on. */
  gate: Gate | undefined;
}

/** Floats as they travel: a view of shared memory, or a copy that is moved. */
export interface SentFloats {
  type: FloatType;
  data: Float32Array<ArrayBufferLike> | Uint16Array<ArrayBufferLike>;
  /** In the memory that kernels see, so that they use it in place. */
  resident: boolean;
}

/** The rows of a shard: `rows` counts from its first row on. */
export interface SentRows {
  /** A number is what the worker kept from the forward pass. */
  logits: SentFloats | number;
  vocab: number;
  rows: Int32Array;
  targets: Int32Array;
  positions: number;
  transform?: Transform | undefined;
}

export interface ReadTask extends SentRows {
  logits: SentFloats;
  /** How many of the rows are the chosen completions'. */
  chosen: number;
  statistics: boolean;
  /** Keep the logits under this number for the backward pass. */
  keep: number | undefined;
}

export interface ReadAnswer {
  max: Float64Array;
  sum: Float64Array;
  label: Float64Array;
  hit: Uint8Array;
  statistics: { weighted: Float64Array; squares: Float64Array; total: Float64Array } | undefined;
  /** A moved copy that was not kept, given back. */
  buffer: ArrayBuffer | undefined;
}

export interface GradientTask extends SentRows {
  g: Float64Array;
  max: Float64Array;
  sum: Float64Array;
  entropy: EntropySlopes | undefined;
  /** Where to write, rows as in `logits`; undefined: over the copy, or in a new array of the type asked for, sent back. */
  out: SentFloats | undefined;
  type: FloatType;
  clear: boolean;
}

export interface GradientAnswer {
  /** The gradient's rows, unless they were written to shared memory. */
  rows: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | undefined;
  /** The copy of the logits, where the gradient is not in it. */
  buffer: ArrayBuffer | undefined;
}

export const pairArrays = pairColumns.map(({ name }) => name);

type PairResults = { [name in PairResult]: Float32Array<ArrayBufferLike> | undefined };

/** A term of a plan: the worker has the loss and the margin by name. */
export interface SentTerm {
  id: LossType;
  weight: number;
  free: boolean;
  params: readonly number[];
  divergence: Divergence | undefined;
}

/** A stretch of the pairs of a call: shards of `per` pairs, the last one of what is left. */
export interface PairsTask {
  terms: SentTerm[];
  beta: number;
  argument: Argument | undefined;
  odds: boolean;
  pairs: number;
  per: number;
  arrays: { [name in PairColumn]: LengthArray | undefined };
  hasEmpty: boolean;
  /** Of each term its loss, and its slope for the sum over the pairs. */
  likelihood: (readonly [loss: number, slope: number])[];
  scale: number;
  /** Views of shared memory to write to, or new arrays that are sent back. */
  results: PairResults;
  /** Which of the arrays and results are in the memory that kernels see, so that they use them in place. */
  resident: readonly (PairColumn | PairResult)[];
}

export interface PairsAnswer {
  /** Of each shard. */
  sums: PairSums[];
  results: PairResults;
}

/** A head's shard: `LinearHead` with its floats as they travel. */
export interface SentHead {
  hidden: SentFloats;
  rows: Int32Array;
  targets: Int32Array;
  width: number;
  vocab: number;
  weight: SentFloats;
  bias: SentFloats | undefined;
  lora: { a: SentFloats; b: SentFloats; rank: number; scale: number; u: SentFloats } | undefined;
  transform?: Transform | undefined;
}

export interface ForwardTask {
  head: SentHead;
  statistics: boolean;
  /** Keep the logits under this number for the backward pass, if there is memory for them. */
  keep: number | undefined;
}

export interface BackwardTask {
  head: SentHead;
  slopes: Float64Array;
  entropies: Float64Array | undefined;
  /** The logits that this worker kept: their number, and which of their tokens these are. */
  kept: { key: number; picked: Int32Array } | undefined;
  out: {
    weight: SentFloats | undefined;
    bias: SentFloats | undefined;
    b: SentFloats | undefined;
    accumulate: boolean;
    states: { from: number; to: number };
  };
}

export interface ForwardAnswer {
  sums: Float64Array;
  /** Copies that were moved, given back. */
  copies: ArrayBuffer[];
}

export interface BackwardAnswer {
  hidden: { data: Float32Array; stride: number };
  out: BackwardTask["out"];
  copies: ArrayBuffer[];
}

/** The calls of a worker. Errors travel as values: comlink would strip class, code and cause. */
export interface WorkerApi {
  /** Answers with the worker's version. */
  start(setup: Setup): Answer<string>;
  read(task: ReadTask): Answer<ReadAnswer>;
  gradient(task: GradientTask): Answer<GradientAnswer>;
  pairs(task: PairsTask): Answer<PairsAnswer>;
  forward(task: ForwardTask): Answer<ForwardAnswer>;
  backward(task: BackwardTask): Answer<BackwardAnswer>;
  /** Forgets what was kept. */
  drop(kept: number[]): Answer<undefined>;
}

export type Answer<T> = { value: T } | { error: WireError };
