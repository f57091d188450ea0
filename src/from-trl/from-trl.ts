// TRL's configurations of preference tuning, any version's spelling, as options of this package. docs/from-trl.md has the table in
// words.

import { copyList, isList } from "../checks/lists.ts";
import { printable } from "../checks/printable.ts";
import { copyRecord, recordOf } from "../checks/record.ts";
import { KindError, ParamError } from "../errors.ts";
import { kindOf, shown } from "../messages.ts";
import type { LossOptions } from "../types.ts";
import { readCollate, type TrlCollate } from "./collate.ts";
import { ownersOf, type Trainer } from "./keys.ts";
import { readEntries, warnOfChanges } from "./losses.ts";
import { readOptions } from "./options.ts";
import { readOtherOptions, type TrlCounts } from "./other-trainers.ts";
import { reader, type TrlConfig } from "./read.ts";
import type { Reading } from "./reading.ts";
import { readTrain, type TrlTrain } from "./train.ts";
import { configOf, readTrainer, recognise } from "./trainers.ts";
import { warnOfKeys } from "./unread.ts";
import { before, parseVersion } from "./version.ts";

export type { Trainer, TrlCollate, TrlConfig, TrlCounts, TrlTrain };

export interface FromTrlOptions {
  /** Reads the configuration as this TRL version would, where meanings changed. Default: current, 1.16. */
  version?: string | undefined;
  /** Whose configuration it is. Default: whose keys or loss it has, else "dpo". */
  trainer?: Trainer | undefined;
  /** Of the data set of a KTOConfig: the weights are compared with them. */
  counts?: TrlCounts | undefined;
}

export interface FromTrlResult {
  /** For `pairLoss` or `unpairedLoss`, `logitsLoss`, `linearLoss`: holds only what the losses asked for use. */
  loss: LossOptions;
  collate: TrlCollate;
  train: TrlTrain;
  /** What was renamed, left out, read in another way or not understood: a sentence each, the key first. */
  warnings: string[];
}

/**
 * Reads a TRL DPOConfig, CPOConfig, ORPOConfig, KTOConfig or BCOConfig, given as a plain object in any TRL version's spelling; null
 * is absent.
 *
 * Defaults are not filled in, except where a version's default differs from today's and changes what a given key means.
 * A running mean for `bco_pair` or `bco` is never made: a warning says where it belongs.
 *
 * Throws    KindError for a value of another kind; ParamError for one outside its range, an unknown loss, no version
 * @example  import { createJs, fromTrl } from "dpo-kernels";
 *           const { loss, train } = fromTrl({ loss_type: "robust", beta: 0.01, label_smoothing: 0.1, seed: 7 });
 *           // loss { lossType: "robust", beta: 0.01, labelSmoothing: 0.1 }, train { seed: 7 }
 *           const pairs = { policyChosen: Float32Array.of(-12.1), policyRejected: Float32Array.of(-14.8) };
 *           createJs().pairLoss(pairs, { ...loss, referenceFree: true });
 */
export function fromTrl(config: TrlConfig, options: FromTrlOptions = {}): FromTrlResult {
  const fields = copyOf(config);
  const { version: named, trainer: asked, counts } = readOptionsOf(options);
  const version = parseVersion(named ?? "1.16.0");
  const { trainer, key } = asked ? { trainer: asked, key: undefined } : recognise(fields);
  const warnings = new Set<string>();
  const reading: Reading = {
    get: reader(fieldsOf(fields, trainer)),
    trainer,
    before: (release) => before(version, release),
    trl: `TRL v${version.text}`,
    versioned: named !== undefined,
    warn: (key, text) => warnings.add(`${printable(key)}: ${text}`),
  };
  if (key !== undefined)
    reading.warn(key, `read as ${configOf(trainer)}, which alone has it; { trainer } names another`);
  const entries = readEntries(reading);
  warnOfChanges(entries, reading);
  const { types, weights, given } = entries;
  const loss: LossOptions = {
    lossType: !given ? undefined : types.length === 1 ? types[0] : types,
    lossWeights: weights,
    ...(trainer === "dpo" ? readOptions(entries, reading) : readOtherOptions(entries, reading, counts)),
  };
  const collate = readCollate(reading);
  const train = readTrain(reading.get);
  warnOfKeys(fields, reading);
  return { loss: present(loss), collate: present(collate), train: present(train), warnings: [...warnings] };
}

const readFields = recordOf<FromTrlOptions>({ what: "options", field: "an option" }, ["version", "trainer", "counts"]);

const readCounts = recordOf<TrlCounts>({ what: "counts", field: "a count" }, ["desirable", "undesirable"]);

function readOptionsOf(given: FromTrlOptions) {
  const { version, trainer, counts: of } = readFields(given);
  const counts = of && readCounts(of);
  for (const [name, count] of Object.entries(counts ?? {})) {
    if (typeof count === "number" && count >= 0 && Number.isFinite(count)) continue;
    const message = `counts.${name}: expected a number of rows, got ${shown(count)}`;
    throw typeof count === "number" ? new ParamError("out-of-range", message) : new KindError(message);
  }
  return { version: version ?? undefined, trainer: readTrainer(trainer), counts };
}

/** The keys that a trainer has. */
const fieldsOf = (fields: TrlConfig, trainer: Trainer): TrlConfig =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => ownersOf(key).includes(trainer)));

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
