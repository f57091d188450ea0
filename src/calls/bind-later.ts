// From an engine that computes elsewhere to a backend's calls, which promise what they give, in order where they update the same
// running mean.

import { typedError } from "../checks/memory.ts";
import { copyRecord } from "../checks/record.ts";
import { readLinearBatch } from "../inputs/linear.ts";
import { readLogitsBatch } from "../inputs/logits.ts";
import { checkSignal, readLossOptions } from "../inputs/options.ts";
import { readPairs } from "../inputs/pairs.ts";
import { readLogpsOptions, readSequencesBatch } from "../inputs/sequence-logps.ts";
import { readGradInput, readGradOptions } from "../inputs/sequence-logps-grad.ts";
import { readRows } from "../inputs/unpaired.ts";
import type { RunningMean } from "../plan/running-mean.ts";
import type { AsyncBackend, CallOptions, Calls } from "../types.ts";
import { type Arrays, disposedOf } from "./bind.ts";
import { linearLoss } from "./linear-loss.ts";
import { logitsLoss } from "./logits-loss.ts";
import { pairLoss } from "./pair-loss.ts";
import { sequenceLogps } from "./sequence-logps.ts";
import { sequenceLogpsGrad } from "./sequence-logps-grad.ts";
import type { Steps } from "./steps.ts";
import { unpairedLoss } from "./unpaired-loss.ts";

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
    (given: unknown, options: unknown = {}): Promise<unknown> => {
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

/** The steps, each awaited before the next; `between` is called after each. */
export async function runLater<T>(steps: Steps<T>, between?: () => void): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await value;
    between?.();
  }
}
