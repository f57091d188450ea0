// What each stable error code means.

import type { ErrorCode } from "../../src/errors.ts";

export const meanings: Readonly<Record<ErrorCode, string>> = {
  "wrong-length": "An array has the wrong number of elements.",
  overlap: "Two arrays of one call share memory in a way that would mix results with inputs.",
  "missing-input": "The requested losses need an array that was not given.",
  "unknown-option": "An option that this call does not know.",
  "unknown-loss": "A loss that is not in the table `losses`.",
  "unused-option": "An option that none of the requested losses uses, or that this call cannot honour.",
  "out-of-range": "A number outside its range.",
  "not-finite": 'A NaN or an infinity in an input, under `validate: "finite"`.',
  "bad-id": "A token id or an offset outside its range.",
  "wrong-kind": "A value of the wrong kind: another array type, a string for a number.",
  unavailable: "A backend or a kernel that cannot run here, or a queue that is full.",
  "out-of-memory": "The memory reserved for the backend is used up.",
  disposed: "The backend was disposed of before the call.",
  "worker-failed": "A worker crashed, exited or could not be started.",
  aborted: "The caller's signal ended the call.",
};
