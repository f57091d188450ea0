// Rows of logits on the workers: cut into shards, each row computed as this thread would.

import { transfer } from "comlink";
import type { EntropySlopes, LogitRows, LogitsEngine, RowGradients, TokenSums } from "../../engine.ts";
import { ParamError, ShapeError, WorkerError } from "../../errors.ts";
import type { FloatData } from "../../inputs/floats.ts";
import { clearGaps } from "../../inputs/tokens.ts";
import { arrayKind } from "../../messages.ts";
import { gradientAnswer, nothing, readAnswer, type Sound } from "./answers.ts";
import { breakEven } from "./break-even.ts";
import type { Copies } from "./copies.ts";
import { isCloneError, newKey, type PoolWorker } from "./pool-worker.ts";
import type { Answer, GradientAnswer, ReadAnswer, SentFloats } from "./protocol.ts";
import type { Call } from "./queue.ts";
import { cutRows, gatherRows, rowsInPlace, rowsTogether, type Shard, scatter } from "./row-shards.ts";
import { runShards } from "./run-shards.ts";
import { isShared } from "./shared-memory.ts";
import type { WorkerPool } from "./worker-pool.ts";

/** What the engines of all calls share. */
export interface Means {
  readonly workers: WorkerPool;
  readonly copies: Copies;
  /** The engine of the calling thread, for work that is too small to send. */
  readonly local: LogitsEngine;
  /** Whether an array is in the memory that the workers' kernels see. */
  readonly isResident: (array: ArrayBufferView) => boolean;
  /** Whether shared arrays go by reference. */
  readonly shares: boolean;
}

/** A copy that waits for the backward pass: in shared memory, or with the worker it was moved to. */
type Kept = { readonly bytes: number } & (
  | { readonly copy: SentFloats }
  | { readonly worker: PoolWorker; readonly key: number }
);

const goneBefore = (expected: number, got: number): ShapeError =>
  new ShapeError("wrong-length", `logits: expected ${expected} values, got ${got}: their buffer was given away before`);

const immovable = (cause: unknown): ParamError =>
  new ParamError("unused-option", "transfer: expected logits whose buffer can be moved, got memory of WebAssembly", {
    cause,
  });

/** The engine of one call; `given` are logits whose own buffer moves to one worker, in place of copies. */
export function createLogitsEngine(
  { workers, copies, local, isResident, shares }: Means,
  call: Call,
  given: FloatData["data"] | undefined,
  onTokens: (count: number, total: number) => void,
) {
  const kept = new Map<number, Kept>();
  // Of a buffer that was detached there is nothing to tell it by but itself.
  const buffer = given?.buffer;
  /** The gradient in the buffer that was given. */
  let returned: GradientAnswer["rows"];

  const goesByReference = ({ data }: FloatData): boolean => shares && isShared(data.buffer);
  const isSmall = ({ rows, vocab }: LogitRows): boolean => rows.length * vocab < breakEven.logits;
  const isGiven = ({ logits }: LogitRows): boolean => given !== undefined && logits.data.buffer === buffer;

  const shardsOf = (rows: LogitRows): Shard[] =>
    isGiven(rows)
      ? [{ from: 0, to: rows.rows.length, first: 0, end: rows.positions }]
      : cutRows(rows, workers.size, !goesByReference(rows.logits));

  const onWorkers = async (
    rows: LogitRows,
    work: (shard: Shard, worker: PoolWorker) => Promise<void>,
  ): Promise<void> => {
    const home = ({ from }: Shard): PoolWorker | undefined => {
      const there = kept.get(from);
      return there && "worker" in there ? there.worker : undefined;
    };
    const counted = async (shard: Shard, worker: PoolWorker): Promise<void> => {
      await work(shard, worker);
      onTokens(shard.to - shard.from, rows.rows.length);
    };
    await runShards(workers, call, shardsOf(rows), counted, home);
  };

  const orAbandon = <T>(rows: LogitRows, asked: Promise<T>, copy: () => SentFloats | undefined): Promise<T> =>
    asked.catch((error) => {
      const abandoned = copy();
      if (abandoned?.resident) copies.giveBack(abandoned.data);
      if (isGiven(rows) && isCloneError(error.cause)) throw immovable(error.cause);
      throw error;
    });

  const view = ({ type, data }: FloatData, { first, end }: Shard, vocab: number): SentFloats => ({
    type,
    data: data.subarray(first * vocab, end * vocab),
    resident: isResident(data),
  });

  /** What is sent of a shard, and which copy that is. */
  const pack = (rows: LogitRows, shard: Shard) => {
    const { logits, vocab } = rows;
    call.held.inputs();
    if (isGiven(rows)) {
      const expected = rows.positions * vocab;
      if (logits.data.length < expected) throw goneBefore(expected, logits.data.length);
      const floats = { ...logits, resident: false };
      return { sent: { ...rowsInPlace(rows, shard), logits: floats }, copy: floats };
    }
    if (goesByReference(logits)) {
      return { sent: { ...rowsInPlace(rows, shard), logits: view(logits, shard, vocab) }, copy: undefined };
    }
    const copy = copies.take(logits.type, (shard.to - shard.from) * vocab);
    gatherRows(logits.data, rows.rows.subarray(shard.from, shard.to), vocab, copy.data);
    return { sent: { ...rowsTogether(rows, shard), logits: copy }, copy };
  };

  const read = async (
    rows: LogitRows,
    sums: TokenSums,
    again: boolean,
    shard: Shard,
    worker: PoolWorker,
  ): Promise<void> => {
    const { max, sum, label, hit, statistics } = sums;
    let copy: SentFloats | undefined;
    // Not whether anything is kept of the shard: a reference's copy is not the policy's.
    let isKept = false;
    const chosen = Math.max(0, Math.min(shard.to, hit.length) - shard.from);
    const asked = worker.ask<ReadAnswer>(
      (api) => {
        const packed = pack(rows, shard);
        copy = packed.copy;
        const moves = copy && !copy.resident;
        const bytes = isGiven(rows) ? 0 : (copy?.data.byteLength ?? 0);
        const keeps = again && copy && copies.mayKeep(bytes);
        const key = keeps && moves ? newKey() : undefined;
        isKept = keeps === true;
        if (keeps && copy) kept.set(shard.from, key === undefined ? { bytes, copy } : { bytes, worker, key });
        const task = { ...packed.sent, chosen, statistics: statistics !== undefined, keep: key };
        return api.read(transfer(task, moves ? [copy?.data.buffer as ArrayBuffer] : [])) as Promise<Answer<ReadAnswer>>;
      },
      readAnswer(shard.to - shard.from, chosen, statistics !== undefined),
    );
    const answer = await orAbandon(rows, asked, () => (isKept ? undefined : copy));
    if (copy?.resident && !isKept) copies.giveBack(copy.data);
    if (answer.buffer && !isGiven(rows)) copies.giveBack(new Uint8Array(answer.buffer));
    max.set(answer.max, shard.from);
    sum.set(answer.sum, shard.from);
    label.set(answer.label, shard.from);
    hit.set(answer.hit, Math.min(shard.from, hit.length));
    if (!statistics || !answer.statistics) return;
    statistics.weighted.set(answer.statistics.weighted, shard.from);
    statistics.squares.set(answer.statistics.squares, shard.from);
    statistics.total.set(answer.statistics.total, shard.from);
  };

  /** A shard as the forward pass left it, or packed anew. */
  const packAgain = (rows: LogitRows, shard: Shard, worker: PoolWorker) => {
    const home = kept.get(shard.from);
    kept.delete(shard.from);
    if (home) copies.release(home.bytes);
    if (home && "copy" in home) return { sent: { ...rowsTogether(rows, shard), logits: home.copy }, copy: home.copy };
    if (home?.worker === worker) {
      const there = isGiven(rows) ? rowsInPlace(rows, shard) : rowsTogether(rows, shard);
      return { sent: { ...there, logits: home.key }, copy: undefined };
    }
    if (isGiven(rows)) throw new WorkerError("worker: the logits given to it are lost with it");
    return pack(rows, shard);
  };

  const gradient = async (
    rows: LogitRows,
    g: Float64Array,
    { max, sum }: Pick<TokenSums, "max" | "sum">,
    { out, clear }: RowGradients,
    entropy: EntropySlopes | undefined,
    shard: Shard,
    worker: PoolWorker,
  ): Promise<void> => {
    const { vocab, logits } = rows;
    const inPlace = goesByReference(logits) && goesByReference(out);
    let copy: SentFloats | undefined;
    let target: SentFloats | undefined;
    let back: Parameters<typeof gradientAnswer>[0];
    const isSound: Sound = (value) => gradientAnswer(back)(value);
    const asked = worker.ask<GradientAnswer>((api) => {
      call.held.outputs();
      const packed = packAgain(rows, shard, worker);
      copy = packed.copy;
      // Over the copy where it is of the right type, in memory of its own kind elsewhere.
      target = inPlace ? view(out, shard, vocab) : copy?.resident && copy.type === out.type ? copy : undefined;
      const part = (values: Float64Array) => values.slice(shard.from, shard.to);
      const task = {
        ...packed.sent,
        g: part(g),
        max: part(max),
        sum: part(sum),
        entropy: entropy && { h: part(entropy.h), mean: part(entropy.mean) },
        out: target,
        type: out.type,
        clear: (clear && inPlace) || isGiven(rows),
      };
      const moved = copy && !copy.resident ? [copy.data.buffer as ArrayBuffer] : [];
      back = target ? undefined : { kind: arrayKind(out.data), length: task.positions * vocab };
      return api.gradient(transfer(task, moved)) as Promise<Answer<GradientAnswer>>;
    }, isSound);
    const answer = await orAbandon(rows, asked, () => copy);
    if (answer.buffer && !isGiven(rows)) copies.giveBack(new Uint8Array(answer.buffer));
    call.held.outputs();
    const gradients = answer.rows ?? (inPlace ? undefined : target?.data);
    if (gradients && isGiven(rows) && out.data.length === 0) returned = answer.rows;
    else if (gradients && (isGiven(rows) || goesByReference(logits))) out.data.set(gradients, shard.first * vocab);
    else if (gradients) {
      scatter(rows, shard, gradients, out.data);
      if (clear) clearGaps(rows.rows.subarray(shard.from, shard.to), shard.first, shard.end, out.data, vocab);
      if (!copy?.resident) copies.giveBack(gradients);
    }
    if (copy?.resident) copies.giveBack(copy.data);
  };

  const engine: LogitsEngine = {
    read: (rows, sums, again) =>
      isSmall(rows)
        ? local.read(rows, sums, again)
        : onWorkers(rows, (shard, worker) => read(rows, sums, again, shard, worker)),
    async gradient(rows, g, sums, to, entropy) {
      await (isSmall(rows)
        ? local.gradient(rows, g, sums, to, entropy)
        : onWorkers(rows, (shard, worker) => gradient(rows, g, sums, to, entropy, shard, worker)));
      call.held.release();
    },
  };

  return {
    engine,
    returned: () => returned,
    /** Has workers forget what they keep for a call that failed. */
    release(): void {
      for (const each of kept.values()) {
        copies.release(each.bytes);
        if ("copy" in each) copies.giveBack(each.copy.data);
        else if (!each.worker.failure) {
          each.worker.ask((api) => api.drop([each.key]) as Promise<Answer<undefined>>, nothing).catch(() => {});
        }
      }
      kept.clear();
    },
  };
}
