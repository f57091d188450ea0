// The list of backends that every case runs on.

import { createJs, createWasm } from "../../src/index.ts";
import type { Backend } from "../../src/types.ts";
import { hasRelaxedSimd } from "../../src/wasm/load.ts";

export interface Candidate {
  name: string;
  create: () => Promise<Backend>;
  /** Why it cannot run here; the tests are then skipped visibly. */
  missing?: string;
}

export const backends: Candidate[] = [
  { name: "js", create: async () => createJs() },
  { name: "wasm", create: () => createWasm({ relaxed: false, reserve: 1 << 20 }) },
  {
    name: "wasm relaxed",
    create: () => createWasm({ relaxed: true, reserve: 1 << 20 }),
    ...(hasRelaxedSimd() ? {} : { missing: "this engine has no relaxed SIMD" }),
  },
];
