// What the scenario reports where all is well.

import { expect } from "vitest";

const error = (name: string, code: string, cause?: unknown) => ({
  name,
  code,
  typed: true,
  ...(cause ? { cause } : {}),
});

/** Runtimes with and without a cause in hand: some tell no more of a worker's end than that it came. */
const workerError = expect.objectContaining(error("WorkerError", "worker-failed"));

/** `sharing`: where the runtime shares memory with its workers; otherwise why it does not, in the words of `pool.reason`. */
export const expectedReport = (isolated: boolean | null, sharing: true | string) => ({
  isolated,
  reason: expect.stringMatching(
    sharing === true
      ? /^up to 2 workers: (relaxed )?SIMD.*; arrays in shared memory go by reference, others are copied in slices$/
      : new RegExp(`^up to 2 workers: (relaxed )?SIMD.*; ${sharing}.*: arrays are copied in slices$`),
  ),
  loss: expect.closeTo(15.0774, 4),
  workersGiveTheSameBits: true,
  allocatesShared: sharing === true,
  inPlaceGivesTheSameBits: true,
  transferGivesTheSameBits: true,
  afterDispose: error("BackendError", "disposed"),
  workersStarted: 2,
  abortInMidCall: error("AbortError", "aborted", "RangeError"),
  abortedAfterProgress: true,
  terminatedInMidCall: workerError,
  goesOn: true,
  workersReplaced: 4,
  disposedInMidCall: error("BackendError", "disposed"),
  workerThatThrows: workerError,
  workerFileMissing: workerError,
  typedErrorOfWorker: error("BackendError", "out-of-memory", "RangeError"),
});
