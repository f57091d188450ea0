// A backend that tests may run on.

import type { AsyncBackend, Backend } from "../../src/types.ts";

export type AnyBackend = Backend | AsyncBackend;

export interface Candidate<B extends AnyBackend = AnyBackend> {
  name: string;
  create: () => Promise<B>;
  /** Why it cannot run here; the tests are then skipped visibly. */
  missing?: string | undefined;
}
