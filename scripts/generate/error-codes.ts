// What each stable code of an error means.

import type { ErrorCode } from "../../src/errors.ts";

export const meanings: Readonly<Record<ErrorCode, string>> = {
  "wrong-length": "An array holds another number of elements than the call needs.",
  overlap: "Two arrays of one call share memory in a way that would mix results with inputs.",
  "missing-input": "The losses asked for need an array that was not given.",
  "unknown-option": "An option name that this call does not know.",
  "unknown-loss": "A loss name that is not in the table `losses`.",
  "unused-option": "An option that none of the losses asked for uses, or that this call cannot honour.",
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
