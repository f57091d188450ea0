// One fetch handler for the calls of a backend: reads, checks, computes, answers.

import type { CreateBackend } from "../backends/choose.ts";
import { recordOf } from "../checks/record.ts";
import { DpoError, KindError, ParamError } from "../errors.ts";
import type { WebRequest, WebResponse } from "../globals.ts";
import { kindOf, shown } from "../messages.ts";
import type { AnyBackend } from "./calls.ts";
import { type Cors, preflightHeaders, readCors } from "./cors.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { problemResponse, type Refusal, refusalOf, refuse } from "./problem.ts";
import { createRoutes } from "./routes.ts";

/** Says whether a request may go on: `true`, or a Response in place of the service's own 401. */
export type Authorize = (
  request: WebRequest,
  env: unknown,
  ctx: unknown,
) => boolean | WebResponse | Promise<boolean | WebResponse>;

export interface ServiceOptions {
  /** What computes, or a function that makes it at the first request. Default: `createBackend()`. */
  backend?: AnyBackend | Promise<AnyBackend> | (() => AnyBackend | Promise<AnyBackend>) | undefined;
  /** Of a request's body. Default 8 MiB. */
  maxBytes?: number | undefined;
  /** Default 65,536; twice as many rows. */
  maxPairs?: number | undefined;
  /** Default 262,144. */
  maxVocab?: number | undefined;
  /** For the body to come, and for the computation. Default 10,000. */
  maxMillis?: number | undefined;
  /** Pages of which origins may call. Default: none. */
  cors?: Cors | undefined;
  /** Asked about each request but `/health`. Without it everybody may call. */
  authorize?: Authorize | undefined;
}

export interface Service {
  /** What Workers, Deno, Bun and others call with a request. */
  fetch(request: WebRequest, env?: unknown, ctx?: unknown): Promise<WebResponse>;
}

const readOptions = recordOf<ServiceOptions>({ what: "options", field: "an option of createService" }, [
  "backend",
  "maxBytes",
  "maxPairs",
  "maxVocab",
  "maxMillis",
  "cors",
  "authorize",
]);

export type CreateService = (options?: ServiceOptions) => Service;

/** `createService` over the best backend of a place. */
// Bundlers may leave it out where nothing calls it.
/* @__NO_SIDE_EFFECTS__ */
export const createServiceWith =
  (createBackend: CreateBackend): CreateService =>
  (given = {}) =>
    makeService(readOptions(given), () => createBackend());

function makeService(options: ServiceOptions, best: () => Promise<AnyBackend>): Service {
  const { authorize } = options;
  if (authorize !== undefined && typeof authorize !== "function") {
    throw new KindError(`authorize: expected a function, got ${kindOf(authorize)}`);
  }
  const corsOf = readCors(options.cors);
  const limits = readLimits(options);
  const routes = createRoutes(limits, shared(options.backend ?? best), authorize !== undefined);

  const respond = async (request: Request, env: unknown, ctx: unknown): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const route = routes.get(pathname);
    if (!route) throw refuse(404, `path: expected one of ${[...routes.keys()].join(", ")}`);
    const methods = route.method === "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
    if (request.method === "OPTIONS") {
      const asked = request.headers.get("access-control-request-headers");
      return new Response(null, { status: 204, headers: { allow: methods, ...preflightHeaders(asked, methods) } });
    }
    const isHead = request.method === "HEAD";
    if ((isHead ? "GET" : request.method) !== route.method) {
      throw refuse(405, `method: expected ${methods}`, { headers: { allow: methods } });
    }
    if (authorize && !route.isOpen) {
      const verdict = await authorize(request, env, ctx);
      if (verdict instanceof Response) return verdict;
      // A hook that forgets to answer lets nobody in.
      if (verdict !== true) throw refuse(401, "not authorized", { headers: { "www-authenticate": "Bearer" } });
    }
    const response = await route.run(request);
    return isHead ? new Response(null, response) : response;
  };

  return {
    async fetch(request, env, ctx) {
      const id = requestIdOf(request);
      const response = await respond(request, env, ctx).catch((error) => problemResponse(toRefusal(error, id), id));
      return withHeaders(response, { ...corsOf(request.headers.get("origin")), "x-request-id": id });
    },
  };
}

function readLimits(options: ServiceOptions): Limits {
  const limits = { ...defaultLimits };
  for (const name of Object.keys(defaultLimits) as (keyof Limits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== "number") throw new KindError(`${name}: expected a number, got ${kindOf(value)}`);
    if (!(Number.isInteger(value) && value >= 1 && value < 2 ** 31)) {
      throw new ParamError("out-of-range", `${name}: expected an integer in 1..2147483647, got ${shown(value)}`);
    }
    limits[name] = value;
  }
  return limits;
}

/** One backend for all requests; where it could not be made, the next request tries again. */
function shared(given: NonNullable<ServiceOptions["backend"]>): () => Promise<AnyBackend> {
  let made: Promise<AnyBackend> | undefined;
  const make = async (): Promise<AnyBackend> => {
    const backend = await (typeof given === "function" ? given() : given);
    if (typeof backend?.pairLoss === "function") return backend;
    throw new KindError(`backend: expected a backend, got ${kindOf(backend)}`);
  };
  return async () => {
    made ??= make();
    try {
      return await made;
    } catch (error) {
      made = undefined;
      throw refuse(503, error instanceof DpoError ? error.message : "backend: it could not be made");
    }
  };
}

/** The caller's own, if it is one for logs and headers; else a fresh one. */
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

/** What is no refusal is a fault: its message goes to the log, not to the caller. */
function toRefusal(error: unknown, id: string): Refusal {
  const refusal = refusalOf(error);
  if (refusal) return refusal;
  console.error(`dpo-kernels: request ${id} failed`, error);
  return { status: 500, detail: "a fault of the service; its log has the request's id" };
}

/** The headers of a Response may not be changed where somebody else made it. */
function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const copy = new Response(response.body, response);
  for (const [name, value] of Object.entries({ "x-content-type-options": "nosniff", ...headers })) {
    copy.headers.set(name, value);
  }
  if (!copy.headers.has("cache-control")) copy.headers.set("cache-control", "no-store");
  return copy;
}
