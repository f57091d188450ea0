// Errors on their way out of a worker: class, code and cause survive.

import {
  AbortError,
  BackendError,
  DpoError,
  type ErrorCode,
  KindError,
  ParamError,
  ShapeError,
  WorkerError,
} from "../../errors.ts";

export interface WireError {
  name: string;
  message: string;
  stack: string | undefined;
  code: ErrorCode | undefined;
  cause: WireError | undefined;
}

/** Any thrown value, as plain data. */
export function toWire(thrown: unknown): WireError {
  if (!(thrown instanceof Error) && !isErrorLike(thrown)) {
    return { name: "Error", message: String(thrown), stack: undefined, code: undefined, cause: undefined };
  }
  const { name, message, stack, cause } = thrown;
  const code = thrown instanceof DpoError ? thrown.code : undefined;
  return { name, message, stack, code, cause: cause === undefined ? undefined : toWire(cause) };
}

const isErrorLike = (thrown: unknown): thrown is Error =>
  typeof thrown === "object" && thrown !== null && "message" in thrown && "name" in thrown;

/** The error again: one of ours in its own class, any other as an Error of its name. */
export function fromWire({ name, message, stack, code, cause: wire }: WireError): Error {
  const cause = wire && fromWire(wire);
  const options = cause && { cause };
  const error = (code && ofCode(name, code, message, options)) ?? Object.assign(new Error(message, options), { name });
  if (stack) error.stack = stack;
  return error;
}

function ofCode(name: string, code: ErrorCode, message: string, options: ErrorOptions | undefined): Error | undefined {
  switch (name) {
    case "ShapeError":
      return new ShapeError(code, message, options);
    case "ParamError":
      return new ParamError(code, message, options);
    case "KindError":
      return new KindError(message, options);
    case "BackendError":
      return new BackendError(code, message, options);
    case "WorkerError":
      return new WorkerError(message, options);
    case "AbortError":
      return new AbortError(options?.cause);
    default:
      return undefined;
  }
}
