// The Worker of a benchmark in workerd: a request names the run, and is answered when that has ended.

import relaxedModule from "../kernels/kernels-relaxed.wasm";
import { createJs, createWasm } from "../workerd.ts";
import type { CalibrationKind } from "./calibrate.ts";
import { ours } from "./candidates/ours.ts";
import { measureOrder } from "./measure.ts";
import { peerNames } from "./peers/index.ts";
import { runFor } from "./remote.ts";

const place = {
  ours: () =>
    ours({
      createJs,
      // Its entry has the one module; the other is the user's to import.
      createWasm: ({ relaxed, ...options } = {}) =>
        createWasm(relaxed ? { ...options, module: relaxedModule } : options),
    }),
  lacks: Object.fromEntries(
    peerNames
      .filter((name) => name !== "plain-js")
      .map((name) => [name, "workerd imports no packages, and compiles no bytes of theirs"]),
  ),
  // No bytes are compiled here: the command lays these beside the Worker.
  calibrationModule: async (kind: CalibrationKind): Promise<WebAssembly.Module> =>
    (await import(/* @vite-ignore */ `./calibration-${kind}.wasm`)).default,
};

export default {
  async fetch(request: Request): Promise<Response> {
    await runFor(new URL(request.url).searchParams.get("run") ?? "", (order, onProgress) =>
      measureOrder(order, place, onProgress),
    );
    return new Response("done");
  },
};
