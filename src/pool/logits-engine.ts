// Rows of logits on the workers: cut into shards that depend on the shape alone, each row computed as this thread would.

import { transfer } from "comlink";
import type { LogitRows, LogitsEngine } from "../backend/logits-loss.ts";
import { clearGaps } from "../backend/token-stage.ts";
import { WorkerError } from "../errors.ts";
import type { FloatData } from "../floats.ts";
import { breakEven, SHARD_LOGITS } from "./break-even.ts";
import type { Call } from "./calls.ts";
import type { Copies } from "./copies.ts";
import type { Crew } from "./crew.ts";
import type { Hand } from "./hand.ts";
import type { Answer, GradientAnswer, ReadAnswer, SentFloats, SentRows } from "./messages.ts";
import { isShared } from "./share.ts";

/** What the engines of all calls share. */
export interface Means {
  readonly crew: Crew;
  readonly copies: Copies;
  /** The engine of the calling thread, for work that is too small to send. */
  readonly local: LogitsEngine;
  /** Whether an array is in the memory that the workers' kernels see. */
  readonly isResident: (array: ArrayBufferView) => boolean;
  /** Whether shared arrays go by reference. */
  readonly shares: boolean;
}

/** The tokens from..to−1 of the list, and the rows first..end−1 of the logits, gaps included. */
interface Shard {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly end: number;
}

interface Kept {
  readonly hand: Hand;
  readonly key: number;
  readonly bytes: number;
}

let keys = 0;

/** The engine of one call; `given` are logits whose own buffer moves to one worker, in place of copies. */
export function createLogitsEngine(
  { crew, copies, local, isResident, shares }: Means,
  call: Call,
  given: FloatData["data"] | undefined,
  onTokens: (count: number, total: number) => void,
) {
  const kept = new Map<number, Kept>();
  /** The gradient where the logits were: in the buffer that came back. */
  let returned: GradientAnswer["rows"];

  const goesByReference = ({ data }: FloatData): boolean => shares && isShared(data.buffer);
  const isSmall = ({ rows, vocab }: LogitRows): boolean => rows.length * vocab < breakEven.logits;

  const isGiven = ({ logits }: LogitRows): boolean => logits.data === given;

  const shardsOf = ({ rows, vocab, positions, logits }: LogitRows): Shard[] => {
    const per = logits.data === given ? rows.length : Math.max(1, Math.floor(SHARD_LOGITS / vocab));
    const shards: Shard[] = [];
    for (let from = 0; from < rows.length; from += per) {
      const to = Math.min(from + per, rows.length);
      const first = from === 0 ? 0 : (rows[from] as number);
      shards.push({ from, to, first, end: to < rows.length ? (rows[to] as number) : positions });
    }
    return shards;
  };

  // All shards, then the first error if there was one: when a call rejects, nobody writes to its arrays any more.
  const onWorkers = async (rows: LogitRows, work: (shard: Shard, hand: Hand) => Promise<void>) => {
    await call.turn();
    call.onStop = (why) => crew.cancel(call, why);
    const results = await Promise.allSettled(
      shardsOf(rows).map(async (shard) => {
        try {
          await crew.run(call, (hand) => work(shard, hand), kept.get(shard.from)?.hand);
          onTokens(shard.to - shard.from, rows.rows.length);
        } catch (error) {
          crew.cancel(call, error as Error);
          throw error;
        }
      }),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  };

  const view = ({ type, data }: FloatData, { first, end }: Shard, vocab: number): SentFloats => {
    const part = data.subarray(first * vocab, end * vocab);
    return { type, data: part, resident: isResident(data) };
  };

  // By reference all rows from the shard's first on; otherwise a copy of those that count.
  const pack = (rows: LogitRows, shard: Shard): { sent: SentRows & { logits: SentFloats }; moved: ArrayBuffer[] } => {
    const { logits, vocab } = rows;
    const whole = isGiven(rows);
    const targets = rows.targets.slice(shard.from, shard.to);
    const counting = rows.rows.subarray(shard.from, shard.to);
    if (whole || goesByReference(logits)) {
      const floats = whole ? { ...logits, resident: false } : view(logits, shard, vocab);
      const relative = counting.map((row) => row - shard.first);
      const sent = { logits: floats, vocab, rows: relative, targets, positions: shard.end - shard.first };
      return { sent, moved: whole ? [logits.data.buffer as ArrayBuffer] : [] };
    }
    const ArrayType = logits.type === "f32" ? Float32Array : Uint16Array;
    const size = counting.length * vocab;
    const buffer = copies.take(size * ArrayType.BYTES_PER_ELEMENT);
    const data = new ArrayType(buffer, 0, size);
    eachRun(counting, (row, at, n) => data.set(logits.data.subarray(row * vocab, (row + n) * vocab), at * vocab));
    const sent = { logits: { type: logits.type, data, resident: false }, vocab, rows: upTo(counting.length), targets };
    return { sent: { ...sent, positions: counting.length }, moved: [buffer] };
  };

  const engine: LogitsEngine = {
    read(rows, sums, again) {
      if (isSmall(rows)) return local.read(rows, sums, again);
      const whole = isGiven(rows);
      return onWorkers(rows, async (shard, hand) => {
        const { max, sum, label, hit, statistics } = sums;
        const answer = await hand.ask<ReadAnswer>((api) => {
          const { sent, moved } = pack(rows, shard);
          const bytes = sent.logits.data.byteLength;
          const keeps = again && moved.length > 0 && (whole || copies.mayKeep(bytes));
          const key = keeps ? keys++ : undefined;
          if (key !== undefined) kept.set(shard.from, { hand, key, bytes: whole ? 0 : bytes });
          const chosen = Math.max(0, Math.min(shard.to, hit.length) - shard.from);
          const task = { ...sent, chosen, statistics: statistics !== undefined, keep: key };
          return api.read(transfer(task, moved)) as Promise<Answer<ReadAnswer>>;
        });
        copies.giveBack(whole ? undefined : answer.buffer);
        max.set(answer.max, shard.from);
        sum.set(answer.sum, shard.from);
        label.set(answer.label, shard.from);
        hit.set(answer.hit, Math.min(shard.from, hit.length));
        if (!statistics || !answer.statistics) return;
        statistics.weighted.set(answer.statistics.weighted, shard.from);
        statistics.squares.set(answer.statistics.squares, shard.from);
        statistics.total.set(answer.statistics.total, shard.from);
      });
    },
    gradient(rows, g, { max, sum }, to) {
      if (isSmall(rows)) return local.gradient(rows, g, { max, sum }, to);
      const { vocab } = rows;
      const { out, clear } = to;
      const whole = isGiven(rows);
      return onWorkers(rows, async (shard, hand) => {
        const ofShard = (values: Float64Array) => values.slice(shard.from, shard.to);
        const counting = rows.rows.subarray(shard.from, shard.to);
        const inPlace = goesByReference(rows.logits) && goesByReference(out);
        const answer = await hand.ask<GradientAnswer>((api) => {
          const home = kept.get(shard.from);
          kept.delete(shard.from);
          if (home) copies.release(home.bytes);
          if (whole && home?.hand !== hand) throw new WorkerError("worker: the logits given to it are lost with it");
          const compact = { vocab, rows: upTo(counting.length), targets: rows.targets.slice(shard.from, shard.to) };
          const held = whole
            ? { ...compact, rows: counting.slice(), positions: rows.positions }
            : { ...compact, positions: counting.length };
          const { sent, moved } =
            home?.hand === hand ? { sent: { ...held, logits: home.key }, moved: [] } : pack(rows, shard);
          const task = {
            ...sent,
            g: ofShard(g),
            max: ofShard(max),
            sum: ofShard(sum),
            out: inPlace ? view(out, shard, vocab) : undefined,
            type: out.type,
            clear: (clear && inPlace) || whole,
          };
          return api.gradient(transfer(task, moved)) as Promise<Answer<GradientAnswer>>;
        });
        copies.giveBack(whole ? undefined : answer.buffer);
        if (!answer.rows) return;
        if (whole && out.data.length === 0) {
          returned = answer.rows;
          return;
        }
        const stretch = whole || goesByReference(rows.logits);
        if (stretch) {
          out.data.set(answer.rows, shard.first * vocab);
          return;
        }
        const { rows: gradients } = answer;
        eachRun(counting, (row, at, n) => out.data.set(gradients.subarray(at * vocab, (at + n) * vocab), row * vocab));
        if (clear) clearGaps(counting, shard.first, shard.end, out.data, vocab);
        copies.giveBack(gradients.buffer);
      });
    },
  };

  return {
    engine,
    returned: () => returned,
    /** Has workers forget what they keep for a call that failed. */
    release(): void {
      for (const { hand, key, bytes } of kept.values()) {
        copies.release(bytes);
        if (!hand.failure) hand.ask((api) => api.drop([key]) as Promise<Answer<undefined>>).catch(() => {});
      }
      kept.clear();
    },
  };
}

const upTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, k) => k);

/** Runs of consecutive rows: n rows from `row` on, the at-th of the list. */
function eachRun(rows: Int32Array, visit: (row: number, at: number, n: number) => void): void {
  for (let at = 0; at < rows.length; ) {
    const row = rows[at] as number;
    let n = 1;
    while (at + n < rows.length && rows[at + n] === row + n) n++;
    visit(row, at, n);
    at += n;
  }
}
