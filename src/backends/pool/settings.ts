// What `createPool` takes, checked.

import { checkCount } from "../../checks/numbers.ts";
import { recordOf } from "../../checks/record.ts";
import { KindError, ParamError } from "../../errors.ts";
import { checkOneOf } from "../../inputs/options.ts";
import type { WasmSource } from "../../kernels/load.ts";
import { kindOf } from "../../plan/plan.ts";
import type { Limits } from "./pool-worker.ts";
import { type AnyWorker, MOST_WORKERS, startWorker } from "./start-worker.ts";

export interface PoolOptions {
  /** Up to 512. Default: as many as this machine, or this container, runs at once; they start when there is work for them. */
  workers?: number | undefined;
  /**
   * How workers get at arrays. "shared": views of a SharedArrayBuffer go by reference; "transfer": everything is copied, in
   * slices. Default "auto": shared where this place allows it.
   */
  memory?: "auto" | "shared" | "transfer" | undefined;
  /** Starts the worker file in another way: `() => new Worker(new URL("dpo-kernels/worker", import.meta.url), { type: "module" })`. */
  createWorker?: (() => AnyWorker) | undefined;
  /** A compiled module, its bytes or a Response, in place of the one built in. */
  module?: WasmSource | Promise<WasmSource> | undefined;
  /** Relaxed SIMD. Default: where the engine has it; `false` for the same bits on every machine. */
  relaxed?: boolean | undefined;
  /** Calls that may wait while others run; one more is refused (BackendError "unavailable"). Default: no limit. */
  maxQueue?: number | undefined;
  /**
   * Milliseconds that a worker may take to start, and to answer; then it is ended and replaced. Default 60,000, and 10,000 to
   * start.
   */
  timeout?: number | undefined;
}

export interface Settings {
  readonly module: PoolOptions["module"];
  readonly relaxed: boolean | undefined;
  /** Default: `workerCount()`, once Node's modules are there. */
  readonly workers: number | undefined;
  readonly memory: "auto" | "shared" | "transfer";
  readonly start: () => AnyWorker;
  readonly maxQueue: number;
  readonly limits: Limits;
}

// A script that is none of ours says nothing at all: it must not look like work for a minute.
const START_LIMIT = 10_000;
const ANSWER_LIMIT = 60_000;

const readOptions = recordOf<PoolOptions>({ what: "options", field: "an option of createPool" }, [
  "workers",
  "memory",
  "createWorker",
  "module",
  "relaxed",
  "maxQueue",
  "timeout",
]);

/**
 * Checks the options of `createPool`.
 *
 * Throws    ParamError, KindError
 */
export function readSettings(given: PoolOptions): Settings {
  const options = readOptions(given);
  const { module, relaxed, workers, memory = "auto", createWorker = startWorker } = options;
  const { maxQueue = Infinity, timeout } = options;
  if (relaxed !== undefined && typeof relaxed !== "boolean") {
    throw new KindError(`relaxed: expected true or false, got ${kindOf(relaxed)}`);
  }
  if (workers !== undefined) checkCount(workers, "workers");
  if (workers !== undefined && workers > MOST_WORKERS) {
    throw new ParamError("out-of-range", `workers: expected an integer in 1..${MOST_WORKERS}, got ${workers}`);
  }
  checkOneOf(memory, "memory", ["auto", "shared", "transfer"]);
  if (typeof createWorker !== "function") {
    throw new KindError(`createWorker: expected a function, got ${kindOf(createWorker)}`);
  }
  if (maxQueue !== Infinity && maxQueue !== 0) checkCount(maxQueue, "maxQueue");
  if (timeout !== undefined) checkCount(timeout, "timeout");
  const limits = { start: timeout ?? START_LIMIT, answer: timeout ?? ANSWER_LIMIT };
  return { module, relaxed, workers, memory, start: createWorker, maxQueue, limits };
}
