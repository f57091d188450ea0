// TRL's DPOConfig, any version's spelling, as options of this package. docs/from-trl.md has the table in words.

import { copyList, isList } from "../checks/lists.ts";
import { printable } from "../checks/printable.ts";
import { copyRecord, recordOf } from "../checks/record.ts";
import { kindOf } from "../messages.ts";
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

/** The configuration's fields, and what is in its lists and tables, each read once. */
function copyOf(config: unknown): TrlConfig {
  const copy = copyRecord(config, "config");
  for (const key of Object.keys(copy)) copy[key] = copyValue(copy[key], `config.${printable(key)}`);
  return copy;
}

/** More than any list of a configuration has. */
const MOST_ENTRIES = 10_000;

function copyValue(value: unknown, name: string): unknown {
  if (isList(value)) return copyList(value, name, MOST_ENTRIES);
  return kindOf(value) === "an object" ? { ...copyRecord(value, name) } : value;
}

type Fields<T> = { [K in keyof T]?: T[K] | undefined };

/** The same object without its undefined fields. */
function present<T extends object>(fields: Fields<T>): Fields<T> {
  for (const key in fields) if (fields[key] === undefined) delete fields[key];
  return fields;
}
