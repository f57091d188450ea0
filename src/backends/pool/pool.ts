// The backend that spreads its calls over workers: the same calls, promised.

import { linearLoss } from "../../calls/linear-loss.ts";
import { logitsLogps, logitsLoss } from "../../calls/logits-loss.ts";
import { createOrder } from "../../calls/order.ts";
import { checkPairLoss, setShift, toResult } from "../../calls/pair-loss.ts";
import { runLater } from "../../calls/token-stage.ts";
import { bufferOf } from "../../checks/views.ts";
import { BackendError } from "../../errors.ts";
import { plainArrays } from "../../inputs/element-types.ts";
import { readLinearBatch } from "../../inputs/linear.ts";
import { readLogitsBatch, readLogpsOptions } from "../../inputs/logits.ts";
import { checkSignal, readLossOptions } from "../../inputs/options.ts";
import { type ReadPairs, readPairs } from "../../inputs/pairs.ts";
import { createHeap } from "../../kernels/heap.ts";
import { STATIC_BYTES } from "../../kernels/load.ts";
import type {
  AsyncBackend,
  CallOptions,
  LinearBatch,
  LinearLossOptions,
  LogitsBatch,
  LogitsLossOptions,
  PairLossOptions,
  Reference,
  SequenceLogpsOptions,
} from "../../types.ts";
import { createCopies } from "./copies.ts";
import { endWhenDropped } from "./drop.ts";
import { createGate } from "./gate.ts";
import { createLinearEngine } from "./head.ts";
import { holdArrays } from "./held.ts";
import { computeOnWorkers, pairShard } from "./pairs.ts";
import { createHand } from "./pool-worker.ts";
import { localEngines, prepare } from "./prepare.ts";
import { type Call, createCalls } from "./queue.ts";
import { createLogitsEngine } from "./rows.ts";
import { AREA_BYTES } from "./serve.ts";
import { type PoolOptions, readSettings, type Settings } from "./settings.ts";
import { sharingRefusal } from "./shared-memory.ts";
import { hasWorkers, startWorker, workerCount } from "./start-worker.ts";
import { givenAway, takeBack } from "./transfer.ts";
import { version } from "./version.ts";
import { createCrew } from "./worker-pool.ts";

type LossBatch = LogitsBatch & { reference?: Reference | undefined };
type HiddenBatch = LinearBatch & { reference?: Reference | undefined };

/**
 * A pool of workers: the calls of a backend, promised, with the same bits whatever the number of workers.
 *
 * Throws    ParamError, KindError for its options; BackendError ("unavailable") where there are no workers, WebAssembly may not
 *           be compiled, or memory: "shared" is asked for and cannot be had
 * @example  const pool = await createPool({ workers: 2 });
 *           const { loss, gradLogits } = await pool.logitsLoss(
 *             { tokens, vocab, logits, reference: { logps: Float64Array.of(-3.1, -2.7) } },
 *             { lossType: "ipo" },
 *           );
 *           await pool.dispose();
 */
export async function createPool(options: PoolOptions = {}): Promise<AsyncBackend> {
  const settings = readSettings(options);
  if (settings.start === startWorker && !hasWorkers()) {
    throw new BackendError("unavailable", "pool: expected a place with workers, got one without; use createWasm()");
  }
  const { backend, end } = makePool(settings, await prepare(settings));
  return endWhenDropped(backend, end);
}

/** The pool as its workers' listeners hold it, and what ends it. */
function makePool(
  settings: Settings,
  { module, kind, shared, refusal }: Awaited<ReturnType<typeof prepare>>,
): { backend: AsyncBackend; end: () => void } {
  const shares = refusal === undefined;
  const heap = shared && createHeap(shared.memory, STATIC_BYTES, true);
  const local = localEngines(module);
  const arrays = heap ?? plainArrays(shares);
  const copies = createCopies(heap);
  const calls = createCalls(Math.max(2, settings.workers), settings.maxQueue);
  const inOrder = createOrder();
  const crew = createCrew(settings.workers, (onEnd) => {
    const area = heap?.take(AREA_BYTES);
    const free = (): void => {
      if (area) heap?.free(area);
    };
    const own = shared && area && { ...shared, area: area.byteOffset };
    const setup = { version, module, shared: own, gate: shares ? createGate() : undefined };
    try {
      return createHand(settings.start, setup, settings.limits, () => {
        free();
        onEnd();
      });
    } catch (error) {
      free();
      throw error;
    }
  });
  const means = {
    crew,
    workers: settings.workers,
    copies,
    local: local.rows,
    isResident: heap ? heap.holds : () => false,
    shares,
  };

  let disposed: BackendError | undefined;
  const live = (name: string): void => {
    if (disposed) throw new BackendError("disposed", `${name}: the backend was disposed of`);
  };
  const underWay = new Set<Promise<unknown>>();
  const open: typeof enter = (name, read, work) => {
    const running = enter(name, read, work);
    underWay.add(running);
    const leave = (): void => void underWay.delete(running);
    running.then(leave, leave);
    return running;
  };
  /** A call: what it is given is read as it comes in, whatever becomes of it while the call waits. */
  const enter = async <B, O extends CallOptions, T>(
    name: string,
    read: () => [input: B, options: O],
    work: (call: Call, input: B, options: O) => Promise<T>,
  ): Promise<T> => {
    live(name);
    const [input, options] = read();
    if (options.signal !== undefined) checkSignal(options.signal);
    return inOrder(options, async () => {
      // It may have waited for another call that updates the same running mean.
      live(name);
      const call = calls.open(options?.signal);
      try {
        return await work(call, input, options);
      } finally {
        call.close();
      }
    });
  };
  /** A call that sees logits, with its engine; what workers keep for it goes when it fails. */
  const withEngine = async <T>(
    call: Call,
    batch: unknown,
    given: Parameters<typeof createLogitsEngine>[2],
    options: CallOptions,
    passes: number,
    work: (made: ReturnType<typeof createLogitsEngine>, onTokens: (count: number, total: number) => void) => Promise<T>,
  ): Promise<T> => {
    let done = 0;
    const onTokens = (count: number, total: number): void => {
      done += count;
      if (done < passes * total) options.onProgress?.(Math.floor(done / passes), total);
    };
    call.held = holdArrays(batch, options, given && bufferOf(given));
    const made = createLogitsEngine(means, call, given, onTokens);
    try {
      return await work(made, onTokens);
    } finally {
      made.release();
    }
  };

  const linearOf = (call: Call, onTokens: (count: number, total: number) => void) =>
    createLinearEngine({ crew, copies, local: local.linear, shares }, call, onTokens);

  let ended: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    disposed = new BackendError("disposed", "pool: it was disposed of while the call ran");
    calls.stopAll(disposed);
    await crew.end(disposed);
    await Promise.allSettled(underWay);
  };
  const dispose = async (): Promise<void> => {
    ended ??= end();
    await ended;
  };

  const backend: AsyncBackend = {
    name: "pool",
    reason: `up to ${settings.workers} workers: ${kind}; ${shares ? "arrays in shared memory go by reference, others" : `${refusal}: arrays`} are copied in slices`,
    pairLoss: (given, all = {}) => {
      const read = (): [ReadPairs, PairLossOptions] => [readPairs(given), readLossOptions(all)];
      return open("pairLoss", read, async (call, pairs, options) => {
        call.held = holdArrays(pairs, options, undefined);
        const job = checkPairLoss(local.pairs, pairs, options);
        const commit = setShift(job, local.pairs.scan);
        const per = pairShard(job, shares);
        const sums =
          per === 0 ? local.pairs.compute(job) : await computeOnWorkers(crew, call, job, options, per, shares);
        commit();
        options.onProgress?.(job.pairs, job.pairs);
        return toResult(job, sums);
      });
    },
    sequenceLogps: (given, all = {}) => {
      const read = (): [LogitsBatch, SequenceLogpsOptions] => [readLogitsBatch(given), readLogpsOptions(all)];
      return open("sequenceLogps", read, (call, batch, options) => {
        const { given, rest } = givenAway(batch, options);
        return withEngine(call, batch, given, rest, 1, ({ engine }) =>
          runLater(logitsLogps(engine, batch, rest), call.held.all),
        );
      });
    },
    logitsLoss: (given, all = {}) => {
      const read = (): [LossBatch, LogitsLossOptions] => [readLogitsBatch(given), readLossOptions(all)];
      return open("logitsLoss", read, (call, batch, options) => {
        const { given, rest } = givenAway(batch, options, true);
        return withEngine(call, batch, given, rest, passesOf(batch), async ({ engine, returned }, onTokens) => {
          const engines = { logits: engine, linear: linearOf(call, onTokens) };
          const result = await runLater(logitsLoss(engines, local.pairs, batch, rest), call.held.all);
          return takeBack(result, returned());
        });
      });
    },
    linearLoss: (given, all = {}) => {
      const read = (): [HiddenBatch, LinearLossOptions] => [readLinearBatch(given), readLossOptions(all)];
      return open("linearLoss", read, (call, batch, options) =>
        withEngine(call, batch, undefined, options, passesOf(batch), async ({ engine }, onTokens) => {
          const engines = { logits: engine, linear: linearOf(call, onTokens) };
          return runLater(linearLoss(engines, local.pairs, batch, options), call.held.all);
        }),
      );
    },
    allocate(type, n) {
      live("allocate");
      return arrays.allocate(type, n);
    },
    free(array) {
      live("free");
      arrays.free(array);
    },
    dispose,
    [Symbol.dispose]: () => void dispose(),
    [Symbol.asyncDispose]: dispose,
  };
  return { backend, end: backend[Symbol.dispose] };
}

/** How often a call goes over its tokens: forward, backward, and through a reference that is not given as log-probs. */
const passesOf = ({ reference }: { reference?: Reference | undefined }): number => {
  const { logits, hidden } = { logits: undefined, hidden: undefined, ...reference };
  return logits === undefined && hidden === undefined ? 2 : 3;
};

/**
 * Whether workers beat this thread here, for arrays of the caller's own: two are enough where copies of them can be made in
 * memory that is shared; where they are moved, copying takes about as long as one worker's share of four.
 */
export const worthAPool = (): boolean => hasWorkers() && workerCount() >= (sharingRefusal() === undefined ? 2 : 4);
