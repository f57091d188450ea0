// What a pool says where there are no workers.

import { BackendError } from "../../errors.ts";

export const noWorkers = (): BackendError =>
  new BackendError("unavailable", "pool: expected a place with workers, got one without; use createWasm()");
