// The Worker of a benchmark in workerd: a request names the run, and is answered when that has ended.

import relaxedModule from "../kernels/kernels-relaxed.wasm";
import { createPool } from "../pool.edge.ts";
import { adamw, adamwState, clipGradNorm, sgd, sgdState } from "../train.ts";
import { createJs, createWasm } from "../workerd.ts";
import type { CalibrationKind } from "./calibrate.ts";
import { ours } from "./candidates/ours.ts";
import { measureOrder } from "./measure.ts";
import { peerNames } from "./peers/index.ts";
import { runFor } from "./remote.ts";
import type { Skipped } from "./types.ts";

/** Its import is over before there is a request. */
const noImport: Skipped = {
  case: "start/import/8",
  candidate: "plain",
  why: "workerd loads all modules before the first request, and its clock moves in steps of 1 ms",
};

const place = {
  async ours() {
    const found = await ours({
      createJs,
      // Its entry has the one module; the other is the user's to import.
      createWasm: ({ relaxed, ...options } = {}) =>
        createWasm(relaxed ? { ...options, module: relaxedModule } : options),
      createPool,
      train: { adamw, adamwState, sgd, sgdState, clipGradNorm },
    });
    return [...found, noImport];
  },
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
    await runFor(new URL(request.url).searchParams.get("run") ?? "", (order, ...told) =>
      measureOrder(order, place, ...told),
    );
    return new Response("done");
  },
};
