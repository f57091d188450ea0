// From an engine of this thread to a backend's calls, which return what they give. Those of one that computes elsewhere:
// bind-later.ts.

import type { Engine } from "../engine.ts";
import { BackendError } from "../errors.ts";
import { readLinearBatch } from "../inputs/linear.ts";
import { readLogitsBatch } from "../inputs/logits.ts";
import { readLossOptions } from "../inputs/options.ts";
import { readPairs } from "../inputs/pairs.ts";
import { readLogpsOptions, readSequencesBatch } from "../inputs/sequence-logps.ts";
import { readGradInput, readGradOptions } from "../inputs/sequence-logps-grad.ts";
import { readRows } from "../inputs/unpaired.ts";
import type {
  Backend,
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

const none = {};

export const disposedOf = (name: string): BackendError =>
  new BackendError("disposed", `${name}: the backend was disposed of`);

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
