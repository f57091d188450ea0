// What a planner and the workers tell each other of a shard.

import type { Fingerprint } from "../fingerprint.ts";
import type { Job } from "../score/run.ts";

export const queueName = "dpo-kernels-score";

/** Rows that follow each other in one file. */
export interface Piece {
  /** Which of the job's files. */
  readonly file: number;
  /** Of lines of JSON as they lie in the file: their bytes, and the number of the first line. */
  readonly bytes?: readonly [start: number, end: number, line: number];
  /** Of other files, which are read from their beginning: how many rows come before. */
  readonly skip?: number;
  readonly rows: number;
}

/** A shard for a worker. */
export interface Task {
  readonly job: Omit<Job, "paths">;
  /** Of all the job depends on; a worker with another model would compute something else. */
  readonly fingerprint: Fingerprint;
  /** Files as the planner reads them, and what their names are in another folder, on a server or in a store. */
  readonly paths: readonly string[];
  readonly names: readonly string[];
  readonly pieces: readonly Piece[];
  /** Of the rows' text: a worker whose files hold other rows must not score them. */
  readonly digest: string;
  /** Where the rows lie, in words: "pairs.jsonl:257–512". */
  readonly place: string;
}
