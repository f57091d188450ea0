// dpo-kernels/service in Cloudflare Workers.

import { createBackend } from "./backends/workerd.ts";
import { type CreateService, createServiceWith } from "./service/service.ts";

export type { Cors } from "./service/cors.ts";
export type { Authorize, Service, ServiceOptions } from "./service/service.ts";

export const createService: CreateService = /* @__PURE__ */ createServiceWith(createBackend);
