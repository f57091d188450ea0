// Calls by their name, where which of their signatures is meant does not matter.

import type { AsyncBackend, Backend, CallOptions, Calls } from "../../src/types.ts";

export const callOf = (backend: Backend | AsyncBackend, name: keyof Calls<boolean>) =>
  backend[name] as unknown as (given: unknown, options?: CallOptions) => Promise<unknown>;
