// dpo-kernels/service: losses and gradients over HTTP, in one fetch handler.

export type { Cors } from "./service/cors.ts";
export { type Authorize, createService, type Service, type ServiceOptions } from "./service/service.ts";
