// What each stable error code means.

import type { ErrorCode } from "../../src/errors.ts";

export const meanings: Readonly<Record<ErrorCode, string>> = {
  "wrong-length": "An array has the wrong number of elements.",
  overlap:
    "Two arrays of one call share memory in a way that would mix results with inputs, or an array is a view of a backend's memory that `allocate` did not return.",
  "missing-input": "The requested losses need an array that was not given.",
  "unknown-option": "An option that this call does not know.",
  "unknown-loss": "A loss that is not in the table `losses`, or a loss of pairs for a batch of rows, or the reverse.",
  "unused-option": "An option that none of the requested losses uses, or that this call cannot honour.",
  "out-of-range": "A number outside its range.",
  "not-finite": 'A NaN or an infinity in an input, under `validate: "finite"`.',
  "bad-id": "A token id or an offset outside its range.",
  "wrong-kind":
    "A value of the wrong kind: another array type, a string for a number, a `module` that is not this version's; or a loss of your own that throws or returns no numbers.",
  unavailable: "A backend or a kernel that cannot run here, or a queue that is full.",
  "out-of-memory": "The memory reserved for the backend is used up, or the engine has none left for results.",
  disposed: "The backend was disposed of before the call.",
  "worker-failed":
    "A worker crashed, exited, could not be started, or runs a file that is not this package's, or another version.",
  aborted: "The caller's signal ended the call.",
};
