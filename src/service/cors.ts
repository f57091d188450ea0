// Pages of other origins: which may call, and what their browsers ask before.

import { KindError } from "../errors.ts";
import { kindOf } from "../messages.ts";

/** `true` for pages of any origin, or the origins: "https://example.com". */
export type Cors = boolean | string | readonly string[];

type Headers = Readonly<Record<string, string>>;

/** The headers of every answer to a request from this origin; none where pages may not call. */
export type CorsHeaders = (origin: string | null) => Headers;

const exposed = { "access-control-expose-headers": "x-request-id, server-timing, retry-after" };

/** Throws    KindError */
export function readCors(cors: unknown = false): CorsHeaders {
  if (cors === false) return () => ({});
  if (cors === true || cors === "*") return () => ({ ...exposed, "access-control-allow-origin": "*" });
  const origins: unknown = typeof cors === "string" ? [cors] : cors;
  if (!Array.isArray(origins) || !origins.every(isOrigin)) {
    throw new KindError(`cors: expected true, false or origins such as "https://example.com", got ${kindOf(cors)}`);
  }
  const allowed: ReadonlySet<string> = new Set(origins);
  return (origin) =>
    origin !== null && allowed.has(origin)
      ? { ...exposed, "access-control-allow-origin": origin, vary: "origin" }
      : { vary: "origin" };
}

// One with a path, or a slash at its end, would match no page in silence.
function isOrigin(text: unknown): text is string {
  return typeof text === "string" && URL.canParse(text) && new URL(text).origin === text;
}

/** What a browser is told before it sends a request that is not simple. Credentials are not let in: a token is a header. */
export function preflightHeaders(asked: string | null, methods: string): Headers {
  return {
    "access-control-allow-methods": methods,
    "access-control-allow-headers": asked !== null && /^[\w-]+(?:\s*,\s*[\w-]+)*$/.test(asked) ? asked : "content-type",
    "access-control-max-age": "86400",
  };
}
