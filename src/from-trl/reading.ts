// What the parts of fromTrl share: the configuration's reader, the version, the warnings.

import type { Trainer } from "./keys.ts";
import type { Get } from "./read.ts";

export interface Reading {
  /** A key that the trainer does not have is absent. */
  readonly get: Get;
  readonly trainer: Trainer;
  /** Whether the version that is read is older than this release. */
  readonly before: (release: string) => boolean;
  /** The version as text, for messages. */
  readonly trl: string;
  /** Whether the caller named the version. */
  readonly versioned: boolean;
  /** Adds `key: text` to the warnings. */
  readonly warn: (key: string, text: string) => void;
}
