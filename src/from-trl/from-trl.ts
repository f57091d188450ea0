// TRL's DPOConfig, any version's spelling, as options of this package. docs/from-trl.md has the table in words.

import { printable } from "../checks/printable.ts";
import { recordOf } from "../checks/record.ts";
import { KindError } from "../errors.ts";
import { isRecord, kindOf } from "../messages.ts";
import type { LossOptions } from "../types.ts";
import { readCollate, type TrlCollate } from "./collate.ts";
import { readEntries, warnOfChanges } from "./losses.ts";
import { readOptions } from "./options.ts";
import { reader, type TrlConfig } from "./read.ts";
import type { Reading } from "./reading.ts";
import { readTrain, type TrlTrain } from "./train.ts";
import { warnOfKeys } from "./unread.ts";
import { before, parseVersion } from "./version.ts";

export type { TrlCollate, TrlConfig, TrlTrain };

export interface FromTrlOptions {
  /** Reads the configuration as this TRL version would, where meanings changed. Default: current, 1.16. */
  version?: string | undefined;
}

export interface FromTrlResult {
  /** For `pairLoss`, `logitsLoss`, `linearLoss`: holds only what the losses asked for use. */
  loss: LossOptions;
  collate: TrlCollate;
  train: TrlTrain;
  /** What was renamed, left out, read in another way or not understood: a sentence each, the key first. */
  warnings: string[];
}

/**
 * Reads a TRL DPOConfig, given as a plain object in any TRL version's spelling; null is absent.
 *
 * Defaults are not filled in, except where a version's default differs from today's and changes what a given key means.
 * A running mean for `bco_pair` is never made: a warning says where it belongs.
 *
 * Throws    KindError for a value of another kind; ParamError for one outside its range, an unknown loss, no version
 * @example  const { loss, train } = fromTrl({ loss_type: "robust", beta: 0.01, label_smoothing: 0.1, seed: 7 });
 *           // loss { lossType: "robust", beta: 0.01, labelSmoothing: 0.1 }, train { seed: 7 }
 *           createJs().pairLoss(pairs, loss);
 */
export function fromTrl(config: TrlConfig, options: FromTrlOptions = {}): FromTrlResult {
  const fields = copyOf(config);
  const named = readOptionsOf(options).version ?? undefined;
  const version = parseVersion(named ?? "1.16.0");
  const warnings = new Set<string>();
  const reading: Reading = {
    get: reader(fields),
    before: (release) => before(version, release),
    trl: `TRL v${version.text}`,
    versioned: named !== undefined,
    warn: (key, text) => warnings.add(`${printable(key)}: ${text}`),
  };
  const entries = readEntries(reading);
  warnOfChanges(entries, reading);
  const { types, weights, given } = entries;
  const loss: LossOptions = {
    lossType: !given ? undefined : types.length === 1 ? types[0] : types,
    lossWeights: weights,
    ...readOptions(entries, reading),
  };
  const collate = readCollate(reading);
  const train = readTrain(reading.get);
  warnOfKeys(fields, reading);
  return { loss: present(loss), collate: present(collate), train: present(train), warnings: [...warnings] };
}

const readOptionsOf = recordOf({ what: "options", field: "an option" }, ({ version }: FromTrlOptions) => ({ version }));

/** The configuration's own fields and those that it inherits, each read once. */
function copyOf(config: unknown): TrlConfig {
  try {
    if (isRecord(config)) {
      const copy: Record<string, unknown> = Object.create(null);
      for (const key in config) copy[key] = (config as TrlConfig)[key];
      return copy;
    }
  } catch (cause) {
    throw new KindError("config: expected an object that can be read, got one that throws", { cause });
  }
  throw new KindError(`config: expected an object, got ${kindOf(config)}`);
}

type Fields<T> = { [K in keyof T]?: T[K] | undefined };

/** The same object without its undefined fields. */
function present<T extends object>(fields: Fields<T>): Fields<T> {
  for (const key in fields) if (fields[key] === undefined) delete fields[key];
  return fields;
}
