// What goes wrong, as RFC 9457 has it: application/problem+json, with the package's code and the field where there are such.

import { DpoError, type ErrorCode } from "../errors.ts";

/** A request that is refused: how it is answered. */
export interface Refusal {
  readonly status: number;
  readonly detail: string;
  readonly code?: ErrorCode | undefined;
  readonly field?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const refusals = new WeakMap<object, Refusal>();

/** `throw refuse(415, "content-type: expected …")` */
export function refuse(status: number, detail: string, more: Omit<Refusal, "status" | "detail"> = {}): Error {
  const error = new Error(detail);
  refusals.set(error, { status, detail, ...more });
  return error;
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** What a call throws, as it is answered; undefined for what is no refusal of anybody's. */
export function refusalOf(error: unknown): Refusal | undefined {
  const known = error instanceof Error ? refusals.get(error) : undefined;
  if (known || !(error instanceof DpoError)) return known;
  const { code, message } = error;
  const status = statuses[code] ?? 422;
  return {
    status,
    detail: message,
    code,
    field: fieldOf(message),
    headers: status === 503 ? { "retry-after": "1" } : {},
  };
}

// All others are faults of what was sent.
const statuses: Partial<Record<ErrorCode, number>> = {
  "out-of-memory": 413,
  aborted: 408,
  unavailable: 503,
  disposed: 503,
  "worker-failed": 503,
};

/** Messages begin with the name of what is wrong: `tokens.targets[17]: expected …`. */
const fieldOf = (message: string): string | undefined => /^([a-zA-Z_][\w.]*(?:\[\d+\])?):/.exec(message)?.[1];

export const problemType = "application/problem+json";

export function problemResponse({ status, detail, code, field, headers }: Refusal, requestId: string): Response {
  const title = titles[status] ?? "Error";
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code, field, requestId });
  return new Response(body, { status, headers: { ...headers, "content-type": problemType } });
}
