// The paths of the service, and what answers each.

import packageJson from "../../package.json" with { type: "json" };
import { lossTable } from "../losses/index.ts";
import type { LossRecord } from "../losses/kinds.ts";
import { answer } from "./answer.ts";
import { type AnyBackend, calls } from "./calls.ts";
import type { Limits } from "./limits.ts";
import { openApi } from "./openapi.ts";
import { ofParam } from "./options.ts";

export interface Route {
  readonly method: "GET" | "POST";
  /** Whether everybody may ask. */
  readonly isOpen?: true;
  run(request: Request): Promise<Response>;
}

export function createRoutes(
  limits: Limits,
  backendOf: () => Promise<AnyBackend>,
  isGuarded: boolean,
): ReadonlyMap<string, Route> {
  const reading = (make: () => object, seconds: number): Route => ({
    method: "GET",
    run: async () => {
      const cache = `${isGuarded ? "private, " : ""}max-age=${seconds}`;
      return Response.json(make(), { headers: { "cache-control": cache } });
    },
  });
  const health: Route = {
    method: "GET",
    isOpen: true,
    run: async () => {
      const { name, reason } = await backendOf();
      return Response.json({ status: "ok", version: packageJson.version, backend: name, reason });
    },
  };
  return new Map<string, Route>([
    ...calls.map((call): [string, Route] => {
      return [call.path, { method: "POST", run: (request) => answer(call, request, limits, backendOf) }];
    }),
    ["/v1/losses", reading(() => ({ losses: Object.values(lossTable).map(toListed) }), 300)],
    ["/openapi.json", reading(() => openApi(limits, isGuarded), 300)],
    ["/health", health],
  ]);
}

/** What a loss says of itself, and the inputs that it needs. */
function toListed({ id, title, kind, params, reads, batch }: LossRecord): object {
  const ranges = Object.fromEntries(Object.entries(params).map(([name, param]) => [name, ofParam(param)]));
  return { id, title, kind, params: ranges, reads, dependsOnBatch: batch !== undefined };
}
