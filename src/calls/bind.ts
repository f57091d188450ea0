// From an engine to a backend's calls: each is made here once, for every backend. An engine of this thread is bound to calls that
// return; one that computes elsewhere to calls that promise, in order where they update the same running mean.

import { typedError } from "../checks/memory.ts";
import { copyRecord } from "../checks/record.ts";
import type { Engine } from "../engine.ts";
import { BackendError } from "../errors.ts";
import { readLinearBatch } from "../inputs/linear.ts";
import { readLogitsBatch } from "../inputs/logits.ts";
import { checkSignal, readLossOptions } from "../inputs/options.ts";
import { readPairs } from "../inputs/pairs.ts";
import { readLogpsOptions, readSequencesBatch } from "../inputs/sequence-logps.ts";
import { readGradInput, readGradOptions } from "../inputs/sequence-logps-grad.ts";
import { readRows } from "../inputs/unpaired.ts";
import type { RunningMean } from "../plan/running-mean.ts";
import type {
  AsyncBackend,
  Backend,
  CallOptions,
  Calls,
  LinearBatch,
  LinearLossOptions,
  LogitsBatch,
  LogitsLossOptions,
  LogpsGradients,
  PairLogps,
  PairLossOptions,
  RowLogps,
  SequenceLogpsGradOptions,
  SequenceLogpsOptions,
  SequencesBatch,
  UnpairedLossOptions,
} from "../types.ts";
import { linearLoss } from "./linear-loss.ts";
import { logitsLoss } from "./logits-loss.ts";
import { pairLoss } from "./pair-loss.ts";
import { sequenceLogps } from "./sequence-logps.ts";
import { sequenceLogpsGrad } from "./sequence-logps-grad.ts";
import { runNow } from "./steps.ts";
import { unpairedLoss } from "./unpaired-loss.ts";

/** What every backend hands out memory with. */
export type Arrays = Pick<Backend, "allocate" | "free">;

export type CallName = keyof Calls<false>;

/**
 * How what a call is given is read, every field once, and the steps that follow: what is checked then is what is used, whatever the
 * caller's objects say later.
 */
export const calls = {
  pairLoss: { readInput: readPairs, readOptions: readLossOptions, steps: pairLoss },
  unpairedLoss: { readInput: readRows, readOptions: readLossOptions, steps: unpairedLoss },
  sequenceLogps: { readInput: readSequencesBatch, readOptions: readLogpsOptions, steps: sequenceLogps },
  sequenceLogpsGrad: { readInput: readGradInput, readOptions: readGradOptions, steps: sequenceLogpsGrad },
  logitsLoss: { readInput: readLogitsBatch, readOptions: readLossOptions, steps: logitsLoss },
  linearLoss: { readInput: readLinearBatch, readOptions: readLossOptions, steps: linearLoss },
} as const;

export const callNames = Object.keys(calls) as CallName[];

const none = {};

const disposedOf = (name: string): BackendError => new BackendError("disposed", `${name}: the backend was disposed of`);

/** The calls of a backend of this thread, which work until `dispose` is called. */
export function bindNow<H>(engine: Engine<H, void>, arrays: Arrays): Omit<Backend, "name" | "reason"> {
  let isDisposed = false;
  const live = (name: string): void => {
    if (isDisposed) throw disposedOf(name);
  };
  const dispose = (): void => {
    isDisposed = true;
  };
  const made = {
    pairLoss(pairs: PairLogps, options: PairLossOptions = none) {
      live("pairLoss");
      return runNow(pairLoss(engine, readPairs(pairs), readLossOptions(options)));
    },
    unpairedLoss(rows: RowLogps, options: UnpairedLossOptions = none) {
      live("unpairedLoss");
      return runNow(unpairedLoss(engine, readRows(rows), readLossOptions(options)));
    },
    sequenceLogps(batch: SequencesBatch, options: SequenceLogpsOptions = none) {
      live("sequenceLogps");
      return runNow(sequenceLogps(engine, readSequencesBatch(batch), readLogpsOptions(options)));
    },
    sequenceLogpsGrad(batch: SequencesBatch, gradients: LogpsGradients, options: SequenceLogpsGradOptions = none) {
      live("sequenceLogpsGrad");
      return runNow(sequenceLogpsGrad(engine, readGradInput({ batch, gradients }), readGradOptions(options)));
    },
    logitsLoss(batch: LogitsBatch, options: LogitsLossOptions = none) {
      live("logitsLoss");
      return runNow(logitsLoss(engine, readLogitsBatch(batch), readLossOptions(options)));
    },
    linearLoss(batch: LinearBatch, options: LinearLossOptions = none) {
      live("linearLoss");
      return runNow(linearLoss(engine, readLinearBatch(batch), readLossOptions(options)));
    },
  };
  return {
    // The types say what each call gives for what it is given.
    ...(made as Calls<false>),
    allocate(type, n) {
      live("allocate");
      return arrays.allocate(type, n);
    },
    free(array) {
      live("free");
      arrays.free(array);
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** What a backend that computes elsewhere does with a call. */
export interface Remote {
  readonly arrays: Arrays;
  /** Runs a call whose input and options are read. */
  run(name: CallName, input: object, options: CallOptions): Promise<unknown>;
  /** Rejects what is under way, and ends everything. */
  end(): Promise<void>;
  /** How a call's input and options are read, where that is not as the calls of this thread do it. */
  read?(name: CallName, input: unknown, options: unknown): readonly [input: object, options: CallOptions];
}

const readAsCalls: NonNullable<Remote["read"]> = (name, input, options) => {
  const { readInput, readOptions } = calls[name];
  return [(readInput as (input: unknown) => object)(input), readOptions(options)];
};

/** The calls of a backend that computes elsewhere; `live` refuses a call by this name once the backend was disposed of. */
export function bindLater({ arrays, run, end, read = readAsCalls }: Remote) {
  const inOrder = createOrder();
  const underWay = new Set<Promise<unknown>>();
  let ended: Promise<void> | undefined;
  const live = (name: string): void => {
    if (ended) throw disposedOf(name);
  };
  /** What it is given is read as the call comes in, whatever becomes of it while the call waits. */
  const enter = async (name: CallName, given: unknown, all: unknown): Promise<unknown> => {
    live(name);
    const [input, options] = read(name, given, all) as [object, CallOptions & { out?: object }];
    // Its arrays are looked at again while the call runs.
    if (options.out !== undefined) options.out = copyRecord(options.out, "out");
    if (options.signal !== undefined) checkSignal(options.signal);
    return inOrder(options, async () => {
      // It may have waited for another call that updates the same running mean.
      live(name);
      try {
        return await run(name, input, options);
      } catch (error) {
        throw typedError(error);
      }
    });
  };
  const call =
    (name: CallName) =>
    (given: unknown, options: unknown = none): Promise<unknown> => {
      const running = enter(name, given, options);
      underWay.add(running);
      const leave = (): void => void underWay.delete(running);
      running.then(leave, leave);
      return running;
    };
  const finish = async (): Promise<void> => {
    await end();
    await Promise.allSettled(underWay);
  };
  const dispose = async (): Promise<void> => {
    ended ??= finish();
    await ended;
  };
  // The types say what each call gives.
  const promised = Object.fromEntries(callNames.map((name) => [name, call(name)]));
  return {
    live,
    backend: {
      ...(promised as unknown as Pick<AsyncBackend, Exclude<CallName, "sequenceLogpsGrad">>),
      // What it is given besides the options is one input to all that runs it.
      sequenceLogpsGrad: ((batch, gradients, options) =>
        call("sequenceLogpsGrad")({ batch, gradients }, options)) as AsyncBackend["sequenceLogpsGrad"],
      allocate: ((type, n) => {
        live("allocate");
        return arrays.allocate(type, n);
      }) as Arrays["allocate"],
      free: ((array) => {
        live("free");
        arrays.free(array);
      }) as Arrays["free"],
      dispose,
      [Symbol.dispose]: () => void dispose(),
      [Symbol.asyncDispose]: dispose,
    },
  };
}

/** Calls that update the same running mean go one after the other, in call order; all others at once. */
function createOrder() {
  const last = new WeakMap<RunningMean, Promise<unknown>>();
  return <T>(options: object, start: () => Promise<T>): Promise<T> => {
    const { rewardShift: shift } = options as { rewardShift?: unknown };
    if (typeof shift !== "object" || shift === null) return start();
    const before = last.get(shift as RunningMean) ?? Promise.resolve();
    const now = before.then(start);
    const settled = now.then(
      () => {},
      () => {},
    );
    last.set(shift as RunningMean, settled);
    return now;
  };
}
