// The paths of the service, and what answers each.

import packageJson from "../../package.json" with { type: "json" };
import { lossTable } from "../losses/index.ts";
import { type LossRecord, rowColumns } from "../losses/kinds.ts";
import { sharedParams } from "../losses/params.ts";
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

/** What a loss says of itself, and the inputs that it needs, by the names of its call. */
function toListed({ id, title, unit, params, reads, batch }: LossRecord): object {
  const isRow = unit === "row";
  const given = Object.entries(params).filter(([name]) => name in sharedParams);
  // The pair stage has places for the columns of rows; k of KTO comes with the batch.
  const ofRows = rowColumns.filter(({ slot }) => reads.some((name) => name === slot)).map(({ name }) => name);
  const inputs = isRow ? [...ofRows, ...("kl" in params ? ["klPolicy", "klReference"] : [])] : reads;
  return {
    id,
    title,
    of: isRow ? "rows" : "pairs",
    params: Object.fromEntries(given.map(([name, param]) => [name, ofParam(param)])),
    inputs,
    dependsOnBatch: batch !== undefined || "kl" in params,
  };
}
