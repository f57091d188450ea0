// The options of createTrainer, each read once.

import { checkCount } from "../../checks/numbers.ts";
import { recordOf } from "../../checks/record.ts";
import { KindError, ParamError } from "../../errors.ts";
import { isRecord, kindOf, shown } from "../../messages.ts";
import type { CacheOptions, CheckpointOptions, TrainerOptions, TrainHead, TrainLora } from "./types.ts";

const readAll = recordOf(
  { what: "options", field: "an option of createTrainer" },
  (given: TrainerOptions): TrainerOptions => {
    const { config, examples, backbone, head, reference, lora, backend, evalExamples, evalSteps, shuffle } = given;
    const { checkpoint, resume, cache, keep, version, trainer, signal, onProgress, onWarning } = given;
    return {
      ...{ config, examples, backbone, head, reference, lora, backend, evalExamples, evalSteps, shuffle },
      ...{ checkpoint, resume, cache, keep, version, trainer, signal, onProgress, onWarning },
    };
  },
);

const readHead = recordOf(
  { what: "head", field: "a part of the head" },
  ({ weight, vocab, hiddenSize, bias, logitScale, logitSoftcap }: TrainHead): TrainHead => {
    return { weight, vocab, hiddenSize, bias, logitScale, logitSoftcap };
  },
);

const readLora = recordOf(
  { what: "lora", field: "an option of lora" },
  ({ rank, alpha, dropout, seed, a, b }: TrainLora): TrainLora => ({ rank, alpha, dropout, seed, a, b }),
);

const readCheckpoint = recordOf(
  { what: "checkpoint", field: "an option of checkpoint" },
  ({ store, everySteps, keep, overwrite }: CheckpointOptions): CheckpointOptions => {
    return { store, everySteps, keep, overwrite };
  },
);

const readCache = recordOf(
  { what: "cache", field: "an option of cache" },
  ({ maxBytes, store }: CacheOptions): CacheOptions => ({ maxBytes, store }),
);

/** Throws    KindError, ParamError */
export function readOptions(given: TrainerOptions): TrainerOptions {
  const options = readAll(given);
  const { backbone, backend, shuffle, resume, onProgress, onWarning, evalSteps, checkpoint, cache } = options;
  if (!isRecord(options.config)) throw new KindError(`config: expected an object, got ${kindOf(options.config)}`);
  for (const [name, value] of Object.entries({ backbone, onProgress, onWarning })) {
    if (typeof value === "function" || (value === undefined && name !== "backbone")) continue;
    throw new KindError(`${name}: expected a function, got ${kindOf(value)}`);
  }
  if (backend !== undefined && typeof backend?.linearLoss !== "function") {
    throw new KindError(`backend: expected one with linearLoss, got ${kindOf(backend)}`);
  }
  const read = {
    ...options,
    head: readHead(options.head),
    lora: options.lora && readLora(options.lora),
    checkpoint: checkpoint && readCheckpoint(checkpoint),
    cache: cache && readCache(cache),
  };
  for (const [name, value] of Object.entries({ shuffle, resume, "checkpoint.overwrite": read.checkpoint?.overwrite })) {
    if (value === undefined || typeof value === "boolean") continue;
    throw new KindError(`${name}: expected true or false, got ${shown(value)}`);
  }
  refuseNoCount("head.vocab", read.head.vocab);
  refuseNoCount("head.hiddenSize", read.head.hiddenSize);
  if (evalSteps !== undefined) refuseNoCount("evalSteps", evalSteps);
  if (read.checkpoint?.everySteps !== undefined) refuseNoCount("checkpoint.everySteps", read.checkpoint.everySteps);
  if (read.checkpoint?.keep !== undefined) refuseNoCount("checkpoint.keep", read.checkpoint.keep);
  if (read.keep !== undefined) checkCount(read.keep, "keep", 0, 2 ** 53 - 1);
  const bytes = read.cache?.maxBytes;
  if (bytes !== undefined && !(typeof bytes === "number" && bytes >= 0)) {
    throw new ParamError("out-of-range", `cache.maxBytes: expected bytes, 0 or more, got ${shown(bytes)}`);
  }
  if (resume && !checkpoint) throw new ParamError("missing-input", "checkpoint: expected with resume, got nothing");
  return read;
}

function refuseNoCount(name: string, value: unknown): void {
  if (typeof value !== "number") throw new KindError(`${name}: expected a positive integer, got ${kindOf(value)}`);
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new ParamError("out-of-range", `${name}: expected a positive integer, got ${value}`);
}
