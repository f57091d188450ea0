// The backend on WebGPU: the calls of every backend, each a promise.

import { arrayTypeOf } from "../arrays.ts";
import { computePairs as computeOnHost } from "../backend/js.ts";
import { logitsLogps, logitsLoss } from "../backend/logits-loss.ts";
import { checkPairLoss, setShift, toResult } from "../backend/pair-loss.ts";
import { runLater } from "../backend/token-stage.ts";
import { kernelOf } from "../backend/wasm-pairs.ts";
import { BackendError } from "../errors.ts";
import { scanValues } from "../pairs.ts";
import type { Plan } from "../plan.ts";
import type { AsyncBackend, ElementTypes } from "../types.ts";
import type { Gpu } from "./commands.ts";
import { describeInfo, lostError, openDevice, type WebGpuOptions } from "./device.ts";
import { computePairs } from "./pairs.ts";
import { createPool } from "./pool.ts";
import { createRows } from "./rows.ts";

/** A backend whose calls return promises, on a GPU. */
export interface WebGpuBackend extends AsyncBackend {
  readonly name: "webgpu";
  /** The device that calls run on: the caller's, or ours; another one after ours was lost. */
  readonly device: GPUDevice;
}

function checkKernels(plan: Plan): void {
  for (const { loss } of plan.terms) {
    if ("likelihood" in loss || kernelOf(loss)) continue;
    throw new BackendError("unavailable", `${loss.id}: no shader of this loss is built in; createJs() runs any loss`);
  }
}

// Beside logits the pair stage is next to nothing: B numbers, in float64, on the way between the two passes.
const pairEngine = { compute: computeOnHost, scan: scanValues, check: checkKernels };

async function openGpu(options: WebGpuOptions): Promise<Gpu> {
  const opened = await openDevice(options);
  return Object.assign(opened, { pool: createPool(opened.device) });
}

/**
 * A backend on WebGPU, on the caller's device or one of its own. Calls return promises; numbers agree with the other
 * backends' within docs/numerics.md. Software adapters are taken too: ask `hasRealGpu()` where that matters.
 *
 * Throws    BackendError "unavailable" that says why there is no GPU here
 * @example  const gpu = await createWebGpu({ device });
 *           const { loss, gradLogits } = await gpu.logitsLoss(batch, { lossType: "sigmoid" });
 */
export async function createWebGpu(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  let gpu = await openGpu(options);
  let reopening: Promise<Gpu> | undefined;
  let disposed = false;

  // A lost device of ours is replaced by the call that finds it so; the caller's is the caller's to replace.
  const live = async (call: string): Promise<Gpu> => {
    if (disposed) throw new BackendError("disposed", `${call}: the backend was disposed of`);
    if (gpu.lost === undefined) return gpu;
    if (!gpu.owned) throw lostError(gpu.lost);
    reopening ??= openGpu({ powerPreference: options.powerPreference }).finally(() => {
      reopening = undefined;
    });
    gpu = await reopening;
    return gpu;
  };

  const dispose = async (): Promise<void> => {
    if (disposed) return;
    disposed = true;
    gpu.pool.close();
    if (gpu.owned) gpu.device.destroy();
  };

  const { owned, device } = gpu;
  return {
    name: "webgpu",
    reason: `WebGPU on ${describeInfo(device.adapterInfo)}: ${owned ? "a device of its own" : "the caller's device"}`,
    get device() {
      return gpu.device;
    },
    async pairLoss(pairs, given = {}) {
      const here = await live("pairLoss");
      const job = checkPairLoss(pairEngine, pairs, given);
      const commit = setShift(job, scanValues);
      const result = toResult(job, await computePairs(here, job));
      commit();
      given.onProgress?.(job.pairs, job.pairs);
      return result;
    },
    async sequenceLogps(batch, given = {}) {
      const rows = createRows(await live("sequenceLogps"));
      return runLater(logitsLogps(rows, batch, given)).finally(rows.release);
    },
    async logitsLoss(batch, given = {}) {
      const rows = createRows(await live("logitsLoss"));
      return runLater(logitsLoss(rows, pairEngine, batch, given)).finally(rows.release);
    },
    allocate: (type, n) => new (arrayTypeOf(type, n))(n) as ElementTypes[typeof type],
    free: () => {},
    dispose,
    [Symbol.dispose]: () => void dispose(),
    [Symbol.asyncDispose]: dispose,
  };
}
