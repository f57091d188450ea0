// What each stable error code means.

import type { ErrorCode } from "../../src/errors.ts";

export const meanings: Readonly<Record<ErrorCode, string>> = {
  "wrong-length": "An array has the wrong number of elements.",
  overlap:
    "Two arrays of one call share memory in a way that would mix results with inputs, or one is a view of a backend's memory that `allocate` did not give.",
  "missing-input": "The requested losses need an array that was not given.",
  "unknown-option": "An option that this call does not know.",
  "unknown-loss":
    "A loss that is not in the table `losses`, or one of pairs where the batch has rows, and the reverse.",
  "unused-option": "An option that none of the requested losses uses, or that this call cannot honour.",
  "out-of-range": "A number outside its range.",
  "not-finite": 'A NaN or an infinity in an input, under `validate: "finite"`.',
  "bad-id": "A token id or an offset outside its range.",
  "wrong-kind":
    "A value of the wrong kind: another array type, a string for a number, a `module` that is not this version's; or a loss of your own that throws or returns no numbers.",
  unavailable: "A backend or a kernel that cannot run here, or a queue that is full.",
  "out-of-memory": "The memory reserved for the backend is used up, or the engine gives no more for results.",
  disposed: "The backend was disposed of before the call.",
  "worker-failed":
    "A worker crashed, exited, could not be started, or runs another file or version than this package's.",
  aborted: "The caller's signal ended the call.",
};
