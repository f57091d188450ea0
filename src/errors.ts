// Every error that this package throws on purpose. `code` is stable; docs/errors.md lists them all.

/** The stable codes, with what each one means. docs/errors.md is this table. */
export const errorCodes = {
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
} as const;

export type ErrorCode = keyof typeof errorCodes;

// The brand stands for the class: RangeError and TypeError cannot be subclasses of DpoError too, and a worker or another
// copy of the package has classes of its own.
const brand: unique symbol = Symbol.for("dpo-kernels.error");

/** The base of all errors of this package: `error instanceof DpoError` holds for each of them, and `code` is stable. */
export class DpoError extends Error {
  override readonly name: string = "DpoError";
  readonly code: ErrorCode;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== DpoError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && brand in value;
  }
}

class CodedRangeError extends RangeError {
  readonly code: ErrorCode;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An array of the wrong length, or arrays that overlap. */
export class ShapeError extends CodedRangeError {
  override readonly name = "ShapeError";
}

/** An option or a number outside what the call accepts. */
export class ParamError extends CodedRangeError {
  override readonly name = "ParamError";
}

/** A value of the wrong kind. */
export class KindError extends TypeError {
  override readonly name = "KindError";
  readonly code: ErrorCode = "wrong-kind";
  readonly [brand] = true;
}

/** A backend that cannot do what was asked of it here. */
export class BackendError extends DpoError {
  override readonly name = "BackendError";
}

/** A worker that failed. */
export class WorkerError extends DpoError {
  override readonly name = "WorkerError";

  constructor(message: string, options?: ErrorOptions) {
    super("worker-failed", message, options);
  }
}

/** The caller aborted; `cause` is the signal's reason. */
export class AbortError extends DpoError {
  override readonly name = "AbortError";

  constructor(cause: unknown) {
    super("aborted", "the call was aborted by its signal", { cause });
  }
}
