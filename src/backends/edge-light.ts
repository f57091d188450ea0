// Vercel and Next.js at the edge: `?module` asks for a WebAssembly.Module of the file.

import module from "../kernels/kernels.wasm?module";
import type { CreateBackend } from "./choose.ts";
import { createEdgeBackend, createEdgeWasm } from "./edge.ts";
import type { CreateWasm } from "./wasm/factory.ts";

export const createWasm: CreateWasm = /* @__PURE__ */ createEdgeWasm(module);
export const createBackend: CreateBackend = /* @__PURE__ */ createEdgeBackend(createWasm);
