// dpo-kernels/service in Vercel's and Next.js' edge runtimes.

import { createBackend } from "./backends/edge-light.ts";
import { type CreateService, createServiceWith } from "./service/service.ts";

export type { Cors } from "./service/cors.ts";
export type { Authorize, Service, ServiceOptions } from "./service/service.ts";

export const createService: CreateService = /* @__PURE__ */ createServiceWith(createBackend);
