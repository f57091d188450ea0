// The calls of this package that are measured: its public ones, of this build or of another.

import type { createJs, createWasm } from "../../index.ts";
import type { createPool } from "../../pool.ts";
import type { AsyncBackend, Backend, Calls } from "../../types.ts";

/** Entries of one build. What it lacks is not measured. */
export interface Library {
  readonly createWasm: typeof createWasm;
  readonly createJs: typeof createJs;
  readonly createPool?: typeof createPool;
  readonly createWebGpu?: () => Promise<AnyBackend & { dispose(): void | Promise<void> }>;
  /** Whether there is a GPU, and no software that plays one. */
  readonly hasRealGpu?: () => Promise<boolean>;
}

/** Calls that give their results at once, or promise them. */
export type AnyBackend = Calls<boolean> & Partial<Pick<Backend | AsyncBackend, "allocate">>;
