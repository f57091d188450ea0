// The calls that see logits: log-probs row by row, the pair stage on B numbers, then the gradient row by row.

import { shardsInOrder } from "../cpu/head.ts";
import type { LinearShards } from "../cpu/head-shards.ts";
import { type FloatData, floatAt } from "../inputs/floats.ts";
import { checkLogits, checkLogitsLoss, readLogitsBatch, readLogpsOptions } from "../inputs/logits.ts";
import { readLossOptions } from "../inputs/options.ts";
import type { TokenList } from "../inputs/tokens.ts";
import { planLosses } from "../plan/plan.ts";
import type {
  LogitsBatch,
  LogitsLossOptions,
  LogitsLossResult,
  LogpsBuffers,
  Reference,
  SequenceLogpsOptions,
  SequenceLogpsResult,
} from "../types.ts";
import type { PairEngine } from "./pair-loss.ts";
import { referenceReader, type TokenEngines } from "./read-reference.ts";
import { clearGaps, type Later, runNow, type TokenSums, tokenLogps, tokenLoss } from "./token-stage.ts";

/** What one row of logits comes to. */
export interface RowSums {
  max: number;
  /** Σ e^(x−max) */
  sum: number;
  /** Σ e^(x−max)·(x−max), for the entropy; this and the next two only when asked for. */
  weighted: number;
  /** Σ e^2(x−max), for WPO. */
  squares: number;
  /** Σ x */
  total: number;
}

/** What a backend does with rows of logits; `row` counts rows of `vocab` numbers. */
export interface RowEngine {
  /** `statistics` also fills the last three. The result holds until the next call. */
  read(logits: FloatData, row: number, vocab: number, statistics: boolean): Readonly<RowSums>;
  /** Writes g·(1[v = id] − e^(x−max)/sum) for the row; `out` may be `logits`. */
  gradient(logits: FloatData, row: number, vocab: number, id: number, g: number, sums: RowPair, out: FloatData): void;
}

/** What the backward pass needs of a row. */
export interface RowPair {
  readonly max: number;
  readonly sum: number;
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
}

/** Where the gradient of rows of logits goes. */
export interface RowGradients {
  readonly out: FloatData;
  /** Whether rows that do not count hold something and have to be cleared. */
  readonly clear: boolean;
}

/** What the calls run on: all rows of a batch, here and now or elsewhere. */
export interface LogitsEngine {
  /** `again` says that the backward pass will want the same rows. */
  read(rows: LogitRows, sums: TokenSums, again: boolean): Later;
  gradient(rows: LogitRows, g: Float64Array, sums: Pick<TokenSums, "max" | "sum">, to: RowGradients): Later;
}

/** Row after row, in this thread. */
export function eachRow(engine: RowEngine): LogitsEngine {
  return {
    read({ logits, vocab, rows, targets }, { max, sum, label, hit, statistics }) {
      for (let k = 0; k < rows.length; k++) {
        const row = rows[k] as number;
        const id = targets[k] as number;
        const sums = engine.read(logits, row, vocab, statistics !== undefined);
        max[k] = sums.max;
        sum[k] = sums.sum;
        const value = floatAt(logits, row * vocab + id);
        label[k] = value;
        if (k < hit.length && value === sums.max && isFirst(logits, row * vocab, id)) hit[k] = 1;
        if (!statistics) continue;
        statistics.weighted[k] = sums.weighted;
        statistics.squares[k] = sums.squares;
        statistics.total[k] = sums.total;
      }
    },
    gradient({ logits, vocab, rows, targets, positions }, g, { max, sum }, { out, clear }) {
      const pair = { max: 0, sum: 0 };
      if (clear) clearGaps(rows, 0, positions, out.data, vocab);
      for (let k = 0; k < rows.length; k++) {
        pair.max = max[k] as number;
        pair.sum = sum[k] as number;
        engine.gradient(logits, rows[k] as number, vocab, targets[k] as number, g[k] as number, pair, out);
      }
    },
  };
}

// Whether no id before this one has a logit as large: the first index wins ties. Half types compare as bits, zeros as both.
function isFirst({ type, data }: FloatData, from: number, id: number): boolean {
  const before = data.subarray(from, from + id);
  const value = data[from + id] as number;
  const isHalfZero = type !== "f32" && (value & 0x7fff) === 0;
  return !before.includes(value) && !(isHalfZero && before.includes(value ^ 0x8000));
}

const none = {};

/** The call `sequenceLogps` of a backend, step by step. */
export function* logitsLogps(
  engine: LogitsEngine,
  batch: LogitsBatch,
  given: SequenceLogpsOptions = none,
): Generator<Later, SequenceLogpsResult> {
  const options = readLogpsOptions(given);
  const job = checkLogits(readLogitsBatch(batch), options);
  const stage = { read: (sums: TokenSums) => engine.read(rowsOf(job), sums, false) };
  const result = yield* tokenLogps(job, stage, { ...options, out: job.out });
  return { ...result, ...(job.named as LogpsBuffers) } as SequenceLogpsResult;
}

/** The call `logitsLoss` of a backend, step by step. */
export function* logitsLoss<H>(
  engines: TokenEngines<H>,
  pairs: PairEngine,
  batch: LogitsBatch & { reference?: Reference | undefined },
  given: LogitsLossOptions = none,
): Generator<Later, LogitsLossResult> {
  const options = readLossOptions(given);
  const plan = planLosses(options);
  pairs.check?.(plan);
  const job = checkLogitsLoss(readLogitsBatch(batch), plan, options);
  const { list, vocab, reference, gradient, gradLogits, fresh } = job;
  const { logits } = engines;
  const policy = rowsOf(job);
  const stage = {
    read: (sums: TokenSums) => logits.read(policy, sums, true),
    readReference: referenceReader(engines, reference, list, vocab),
    gradient: (g: Float64Array, sums: TokenSums) => logits.gradient(policy, g, sums, { out: gradient, clear: !fresh }),
  };
  const logps = reference && "logps" in reference ? reference.logps : undefined;
  const result = yield* tokenLoss(job, stage, plan, logps, { ...options, out: job.out }, pairs);
  return { ...result, ...job.named, gradLogits } as LogitsLossResult;
}

function rowsOf({ logits, vocab, list }: { logits: FloatData; vocab: number; list: TokenList }): LogitRows {
  return { logits, vocab, rows: list.rows, targets: list.targets, positions: list.positions };
}

/** `sequenceLogps` of a backend of this thread. */
export function makeSequenceLogps(rows: RowEngine) {
  const engine = eachRow(rows);
  return (batch: LogitsBatch, options: SequenceLogpsOptions = none): SequenceLogpsResult => {
    return runNow(logitsLogps(engine, batch, options));
  };
}

/** `logitsLoss` of a backend of this thread. */
export function makeLogitsLoss(rows: RowEngine, shards: LinearShards, pairs: PairEngine) {
  const engines = { logits: eachRow(rows), linear: shardsInOrder(shards) };
  return (
    batch: LogitsBatch & { reference?: Reference | undefined },
    options: LogitsLossOptions = none,
  ): LogitsLossResult => {
    return runNow(logitsLoss(engines, pairs, batch, options));
  };
}
