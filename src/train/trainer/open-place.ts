// Chooses where the arrays of a training lie.

import type { WebGpuBackend } from "../../backends/webgpu/webgpu.ts";
import type { AsyncBackend, Backend } from "../../types.ts";
import { openHostPlace } from "./host-place.ts";
import type { Place } from "./place.ts";

/** Where a backend computes. Throws    BackendError if its device is lost */
export async function openPlace(backend: Backend | AsyncBackend): Promise<Place> {
  if (backend.name !== "webgpu" || !("device" in backend)) return openHostPlace(backend);
  const { openGpuPlace } = await import("./gpu-place.ts");
  return openGpuPlace(backend as WebGpuBackend);
}
