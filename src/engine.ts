// What a backend computes with. Checks, plans, order and results are those of the calls (src/calls), the same for all; an engine
// reads tokens and fills arrays. S is what a step of it gives: nothing on this thread, a promise where others compute.

import type { Scan } from "./inputs/columns.ts";
import type { AnyFloats, FloatData } from "./inputs/floats.ts";
import type { HeadData } from "./inputs/head.ts";
import type { PairSums } from "./inputs/pair-sums.ts";
import type { PairJob } from "./inputs/pairs.ts";
import type { TokenList } from "./inputs/tokens.ts";
import type { Transform } from "./inputs/transform.ts";
import type { Plan } from "./plan/plan.ts";

/** At once on this thread, a promise where others compute. */
export type MaybePromise = void | Promise<void>;

/** What every call runs on; H is how the backend sees a head. */
export interface Engine<H, S extends MaybePromise = MaybePromise> {
  readonly pairs: PairEngine<S>;
  readonly logits: LogitsEngine<S>;
  readonly head: HeadEngine<H, S>;
}

/** The pair stage. */
export interface PairEngine<S extends MaybePromise = MaybePromise> {
  /** Fills the job's buffers, and `sums`, which become loss and metrics. */
  compute(job: PairJob, sums: PairSums): S;
  scan: Scan;
  /** Sees the plan before the inputs are read: refuses what the backend has no kernel for. */
  check?(plan: Plan): void;
}

/** What the forward pass leaves of each token that counts, in the order of the list. */
export interface TokenSums {
  /** The greatest logit. */
  readonly max: Float64Array;
  /** Σ e^(x−max) */
  readonly sum: Float64Array;
  /** The target's logit. */
  readonly label: Float64Array;
  /** 1 where the target is the first of the greatest; for the first tokens of the list, as many as it has room for. */
  readonly hit: Uint8Array;
  /** Σ e^(x−max)·(x−max), Σ e^2(x−max), Σ x: for entropy, WPO and the mean logit. */
  readonly statistics: { weighted: Float64Array; squares: Float64Array; total: Float64Array } | undefined;
}

/** Of each token: dloss / d entropy, and Σ p·(x−max). */
export interface EntropySlopes {
  readonly h: Float64Array;
  readonly mean: Float64Array;
}

/** Logits and which of their rows count: row rows[k] predicts targets[k]. */
export interface LogitRows {
  readonly logits: FloatData;
  readonly vocab: number;
  /** Ascending. */
  readonly rows: Int32Array;
  readonly targets: Int32Array;
  /** Rows in all. */
  readonly positions: number;
  /** What becomes of the logits. */
  readonly transform?: Transform | undefined;
  /** Float32, where an engine may leave them transformed for the way back: the array of their gradient, if nothing that lies there is still to be read. */
  readonly kept?: FloatData | undefined;
}

/** Where the gradient of rows of logits goes. */
export interface RowGradients {
  readonly out: FloatData;
  /** Whether rows that do not count hold something and have to be cleared. */
  readonly clear: boolean;
}

/** All rows of a batch of logits. */
export interface LogitsEngine<S extends MaybePromise = MaybePromise> {
  /** `again` says that the backward pass will want the same rows. */
  read(rows: LogitRows, sums: TokenSums, again: boolean): S;
  /** `g` is dloss / d log p(target) of each token. */
  gradient(
    rows: LogitRows,
    g: Float64Array,
    sums: Pick<TokenSums, "max" | "sum">,
    to: RowGradients,
    entropy?: EntropySlopes,
  ): S;
}

/** Where the gradients of a head go; of a shard, its rows of them. */
export interface HeadGradients<F extends AnyFloats = FloatData> {
  readonly weight: F | undefined;
  readonly bias: F | undefined;
  readonly b: F | undefined;
  /** Adds to what is there. */
  readonly accumulate: boolean;
}

/** Where the gradients of a call with a head go. */
export interface LinearGradients<F extends AnyFloats = FloatData> extends HeadGradients<F> {
  /** In the layout of the hidden states; 0 where nothing counts. Undefined where they are frozen. */
  readonly hidden: F | undefined;
  readonly a: F | undefined;
}

/** A head over the hidden states of a batch. */
export interface HeadEngine<H, S extends MaybePromise = MaybePromise> {
  /** The head of the tokens that count. Makes sure of the memory that a call takes, the forward pass alone if that is all, before anything is written. */
  open(head: HeadData, list: TokenList, vocab: number, isForward?: boolean): H;
  /** `again` says that the backward pass will want the same tokens; `keep`, the bytes of logits that may be kept for it. */
  read(head: H, sums: TokenSums, again: boolean, keep?: number | undefined): S;
  gradient(head: H, g: Float64Array, sums: TokenSums, out: LinearGradients, entropy?: EntropySlopes): S;
}
