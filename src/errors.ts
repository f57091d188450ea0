// Every error that this package throws on purpose. `code` is stable; docs/errors.md lists them all.

/** The stable codes; docs/errors.md says what each one means. */
export const errorCodes = [
  "wrong-length",
  "overlap",
  "missing-input",
  "unknown-option",
  "unknown-loss",
  "unused-option",
  "out-of-range",
  "not-finite",
  "bad-id",
  "wrong-kind",
  "unavailable",
  "out-of-memory",
  "disposed",
  "worker-failed",
  "aborted",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

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
    try {
      return typeof value === "object" && value !== null && brand in value;
    } catch {
      // A proxy of somebody else's.
      return false;
    }
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
