// dpo-kernels/diagnose in Vercel's and Next.js' edge runtimes.

import { createBackend, createWasm } from "./backends/edge-light.ts";
import { type Diagnosis, diagnoseAtEdge } from "./diagnose/edge.ts";

export type { Diagnosis, Finding } from "./diagnose/diagnose.ts";
export type { Place } from "./diagnose/place.ts";

export const diagnose = (): Promise<Diagnosis> => diagnoseAtEdge(createBackend, createWasm);
