// The backend that spreads its calls over workers: the same calls, promised.

import { bindLater, type CallName, calls, type Remote, runLater } from "../../calls/bind-later.ts";
import type { Steps } from "../../calls/steps.ts";
import { bufferOf } from "../../checks/views.ts";
import type { LinearHead } from "../../cpu/head-shards.ts";
import type { Engine } from "../../engine.ts";
import { BackendError } from "../../errors.ts";
import { plainArrays } from "../../inputs/element-types.ts";
import { createHeap } from "../../kernels/heap.ts";
import { STATIC_BYTES } from "../../kernels/load.ts";
import { reasonIn } from "../../messages.ts";
import type { AsyncBackend, LogitsBatch, LogitsLossResult, Reference } from "../../types.ts";
import { nothing } from "./answers.ts";
import { createCopies } from "./copies.ts";
import { endWhenDropped } from "./drop.ts";
import { createGate } from "./gate.ts";
import { createHeadEngine } from "./head.ts";
import { holdArrays } from "./held.ts";
import { createLauncher, type Launcher } from "./launcher.ts";
import { noWorkers } from "./no-workers.ts";
import { importNodeModules } from "./node-modules.ts";
import { createPairEngine } from "./pairs.ts";
import { startPoolWorker } from "./pool-worker.ts";
import { localEngines, prepare } from "./prepare.ts";
import type { Answer } from "./protocol.ts";
import { createQueue } from "./queue.ts";
import { createLogitsEngine } from "./rows.ts";
import { AREA_BYTES } from "./serve.ts";
import { type PoolOptions, readSettings, type Settings } from "./settings.ts";
import { sharingRefusal } from "./shared-memory.ts";
import { hasWorkers, startWorker, workerCount } from "./start-worker.ts";
import { givenAway, takeBack } from "./transfer.ts";
import { version } from "./version.ts";
import { createWorkerPool } from "./worker-pool.ts";

/**
 * A pool of workers: the calls of a backend, promised, with the same bits whatever the number of workers.
 *
 * Throws    ParamError, KindError for its options; BackendError ("unavailable") where there are no workers, WebAssembly may not
 *           be compiled, or memory: "shared" is asked for and cannot be had
 * @example  import { createPool } from "dpo-kernels/pool";
 *           const pool = await createPool({ workers: 2 });
 *           const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, 3), targets: Int32Array.of(2, 0, 3) };
 *           const { loss, gradLogits } = await pool.logitsLoss(
 *             { tokens, vocab: 4, logits: new Float32Array(3 * 4), reference: { logps: Float64Array.of(-3.1, -2.7) } },
 *             { lossType: "ipo" },
 *           );
 *           await pool.dispose();
 */
export async function createPool(options: PoolOptions = {}): Promise<AsyncBackend> {
  return (await openPool(options)).backend;
}

async function openPool(options: PoolOptions): Promise<{ backend: AsyncBackend; start: () => Promise<void> }> {
  const settings = readSettings(options);
  await importNodeModules();
  if (settings.start === startWorker && !hasWorkers()) {
    throw noWorkers();
  }
  const { backend, end, start } = makePool(settings, await createLauncher(settings.start), await prepare(settings));
  return { backend: endWhenDropped(backend, end), start };
}

/** The pool as its workers' listeners hold it, what ends it, and what starts a first worker before there is work. */
function makePool(
  settings: Settings,
  launcher: Launcher,
  { module, kind, shared, refusal }: Awaited<ReturnType<typeof prepare>>,
): { backend: AsyncBackend; end: () => void; start: () => Promise<void> } {
  const shares = refusal === undefined;
  const most = settings.workers ?? workerCount();
  const heap = shared && createHeap(shared.memory, STATIC_BYTES, true);
  const local = localEngines(module);
  const arrays = heap ?? plainArrays(shares);
  const copies = createCopies(heap);
  const queue = createQueue(Math.max(2, most), settings.maxQueue);
  const workers = createWorkerPool(most, (onEnd) => {
    const area = heap?.take(AREA_BYTES);
    const own = shared && area && { ...shared, area: area.byteOffset };
    const setup = { version, module, shared: own, gate: shares ? createGate() : undefined };
    return startPoolWorker(launcher, setup, settings.limits, () => {
      if (area) heap?.free(area);
      onEnd();
    });
  });
  const means = {
    workers,
    copies,
    local: local.logits,
    isResident: heap ? heap.holds : () => false,
    shares,
  };

  /** One call on the workers: what they keep for it goes with it. */
  const run: Remote["run"] = async (name, input, options) => {
    const call = queue.open(options.signal);
    try {
      const { given, rest } =
        (input as Partial<LogitsBatch>).logits === undefined
          ? nothingGiven(options)
          : givenAway(input as LogitsBatch, options, name !== "sequenceLogps");
      const passes = passesOf(name, input);
      let done = 0;
      const onTokens = (count: number, total: number): void => {
        done += count;
        if (done < passes * total) options.onProgress?.(Math.floor(done / passes), total);
      };
      call.held = holdArrays(input, rest, given && bufferOf(given));
      const rows = createLogitsEngine(means, call, given, onTokens);
      const head = createHeadEngine({ workers, copies, local: local.head, shares }, call, onTokens);
      const engine: Engine<LinearHead> = {
        pairs: createPairEngine({ ...means, local: local.pairs }, call),
        logits: rows.engine,
        head: head.engine,
      };
      // Which call it is decides what its steps take.
      const steps = calls[name].steps as (engine: Engine<LinearHead>, input: object, options: object) => Steps<object>;
      try {
        const result = await runLater(steps(engine, input, rest), call.held.all);
        return takeBack(result as LogitsLossResult, rows.returned());
      } finally {
        rows.release();
        head.release();
      }
    } finally {
      call.close();
    }
  };
  const end = async (): Promise<void> => {
    const disposed = new BackendError("disposed", "pool: it was disposed of while the call ran");
    queue.stopAll(disposed);
    await workers.end(disposed);
  };

  const { backend } = bindLater({ arrays, run, end });
  const where = shares ? "arrays in shared memory go by reference, others" : `${refusal}: arrays`;
  return {
    backend: {
      name: "pool",
      // What is said of the workers may change with the first of them.
      get reason() {
        return `up to ${most} workers${launcher.note}: ${kind}; ${where} are copied in slices`;
      },
      ...backend,
    },
    end: backend[Symbol.dispose],
    start: () => workers.run({}, (worker) => worker.ask((api) => api.drop([]) as Promise<Answer<undefined>>, nothing)),
  };
}

/** How often a call goes over its tokens: forward, backward, and through a reference that is not given as log-probs. */
function passesOf(name: CallName, { reference }: { reference?: Reference | undefined }): number {
  if (name === "sequenceLogps") return 1;
  // The reference of rows is an array, which has not been looked at yet.
  if (name === "sequenceLogpsGrad" || name === "unpairedLoss") return 2;
  const { logits, hidden } = { logits: undefined, hidden: undefined, ...reference };
  return logits === undefined && hidden === undefined ? 2 : 3;
}

const nothingGiven = <O>(options: O) => ({ given: undefined, rest: options });

/**
 * A pool where workers beat this thread for arrays of the caller's own: two are enough where copies of them can be made in memory
 * that is shared; where they are moved, copying takes about as long as one worker's share of four. A first worker has started: a
 * page's policy may forbid them, which only trying tells.
 *
 * Throws    BackendError ("unavailable") where none starts
 */
export async function createPoolIfFaster(options: PoolOptions): Promise<AsyncBackend | undefined> {
  await importNodeModules();
  const isFaster = hasWorkers() && workerCount() >= (sharingRefusal() === undefined ? 2 : 4);
  if (!isFaster) return undefined;
  const { backend, start } = await openPool(options);
  try {
    await start();
    return backend;
  } catch (cause) {
    await backend.dispose();
    throw new BackendError("unavailable", `pool: no worker starts: ${reasonIn(cause)}`, { cause });
  }
}
