// dpo-kernels/service: losses and gradients over HTTP, in one fetch handler.

import { createBackend } from "./backends/select.ts";
import { type CreateService, createServiceWith } from "./service/service.ts";

export type { Cors } from "./service/cors.ts";
export type { Authorize, Service, ServiceOptions } from "./service/service.ts";

/**
 * A service of losses and gradients over HTTP: docs/service.md. Its `fetch` never rejects.
 *
 * Throws    KindError, ParamError
 * @example  import { createService } from "dpo-kernels/service";
 *           const service = createService({ maxBytes: 1 << 20 });
 *           const response = await service.fetch(new Request("http://localhost/health"));
 */
export const createService: CreateService = /* @__PURE__ */ createServiceWith(createBackend);
