// The backend on WebGPU: the calls of every backend, each a promise.

import { bindLater, type CallName } from "../../calls/bind-later.ts";
import type { GpuDevice } from "../../globals.ts";
import { plainArrays } from "../../inputs/element-types.ts";
import { readLossOptions } from "../../inputs/options.ts";
import { readLogpsOptions } from "../../inputs/sequence-logps.ts";
import { readGradOptions } from "../../inputs/sequence-logps-grad.ts";
import type { AdamwHyper } from "../../train/adamw.ts";
import type { SgdHyper } from "../../train/sgd.ts";
import type { AsyncBackend, CallOptions } from "../../types.ts";
import { adamwOnGpu, type GpuAdamwState } from "./adamw.ts";
import { linearLoss, logitsLoss, pairLoss, sequenceLogps, sequenceLogpsGrad, unpairedLoss } from "./calls.ts";
import { clipGradNormOnGpu } from "./clip.ts";
import { describeInfo, lostError, readWebGpuOptions, type WebGpuOptions } from "./device.ts";
import { openGpu } from "./open.ts";
import type { GpuTensors } from "./optim.ts";
import { type GpuSgdState, sgdOnGpu } from "./sgd.ts";
import type { Gpu } from "./submit.ts";
import type { GpuCalls } from "./types.ts";

/** A backend whose calls return promises, on a GPU; arrays and GPU buffers may be mixed freely. */
export interface WebGpuBackend extends Omit<AsyncBackend, keyof GpuCalls>, GpuCalls {
  readonly name: "webgpu";
  /** The device that calls run on: the caller's, or ours; another one after ours was lost. */
  readonly device: GpuDevice;
  /**
   * One step of AdamW on float32 buffers, in place: the hyperparameters are those of `adamw` in `dpo-kernels/train`. The
   * promise is of what the device thinks of the commands; it need not be awaited before the next call.
   */
  adamw(params: GpuTensors, grads: GpuTensors, state: GpuAdamwState, hyper?: AdamwHyper): Promise<void>;
  /** As `adamw`, one step of SGD: the hyperparameters are those of `sgd` in `dpo-kernels/train`. */
  sgd(params: GpuTensors, grads: GpuTensors, state: GpuSgdState, hyper?: SgdHyper): Promise<void>;
  /**
   * Clips float32 gradients in place by the norm of all of them, as `clipGradNorm` in `dpo-kernels/train`; resolves to the norm
   * before, which alone is read back. Later calls on the device see clipped gradients without waiting for it.
   */
  clipGradNorm(grads: GpuTensors, maxNorm: number): Promise<number>;
}

/**
 * A backend on WebGPU, on the caller's device or one of its own. Calls return promises; numbers agree with the other
 * backends' within docs/numerics.md. Software adapters are taken too: ask `hasRealGpu()` where that matters.
 *
 * Throws    BackendError "unavailable" that says why there is no GPU here; KindError, ParamError for its options
 * @example  const gpu = await createWebGpu({ device });
 *           const { loss, gradLogits } = await gpu.logitsLoss(batch, { lossType: "sigmoid" });
 */
export async function createWebGpu(given: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const options = readWebGpuOptions(given);
  let gpu = await openGpu(options);
  let reopening: ReturnType<typeof openGpu> | undefined;

  const close = (): void => {
    gpu.pool.close();
    if (gpu.owned) gpu.device.destroy();
  };

  const { backend, live } = bindLater({
    arrays: plainArrays(),
    run: async (name, input, options) => run[name](await deviceFor(name), input as never, options),
    end: async () => close(),
    // The input is read once its call has a device: parts of it may lie there.
    read: (name, input, options) => [input as object, readers[name](options)],
  });

  // A lost device of ours is replaced by the call that finds it so; the caller's is the caller's to replace.
  const deviceFor = async (call: string): Promise<Gpu> => {
    live(call);
    if (gpu.lost === undefined) return gpu;
    if (!gpu.owned) throw lostError(gpu.lost);
    reopening ??= openGpu({ powerPreference: options.powerPreference }).finally(() => {
      reopening = undefined;
    });
    gpu = await reopening;
    try {
      live(call);
    } catch (disposed) {
      close();
      throw disposed;
    }
    return gpu;
  };

  return {
    name: "webgpu",
    get reason() {
      const { device, owned, problem } = gpu;
      const whose = owned ? "a device of its own" : "the caller's device";
      return `WebGPU on ${describeInfo(device.adapterInfo)}: ${whose}${problem === undefined ? "" : `; ${problem}`}`;
    },
    get device() {
      return gpu.device;
    },
    // The declared overloads say what each call gives.
    ...(backend as unknown as Omit<AsyncBackend, keyof GpuCalls | "name" | "reason"> & GpuCalls),
    adamw: async (params, grads, state, hyper = {}) =>
      adamwOnGpu(await deviceFor("adamw"), params, grads, state, hyper),
    sgd: async (params, grads, state, hyper = {}) => sgdOnGpu(await deviceFor("sgd"), params, grads, state, hyper),
    clipGradNorm: async (grads, maxNorm) => clipGradNormOnGpu(await deviceFor("clipGradNorm"), grads, maxNorm),
  };
}

/** Each call on one device. */
const run: Readonly<Record<CallName, (gpu: Gpu, input: never, options: object) => Promise<unknown>>> = {
  pairLoss,
  unpairedLoss,
  sequenceLogps,
  sequenceLogpsGrad,
  logitsLoss,
  linearLoss,
};

const own = ["readback"];
const readLoss = (options: unknown): CallOptions => readLossOptions(options, own);

/** How the options of each call are read: those of every backend, and this one's own. */
const readers: Readonly<Record<CallName, (options: unknown) => CallOptions>> = {
  pairLoss: readLoss,
  // Its results are read back always.
  unpairedLoss: (options) => readLossOptions(options),
  sequenceLogps: (options) => readLogpsOptions(options, () => own),
  sequenceLogpsGrad: (options) => readGradOptions(options, () => own),
  logitsLoss: readLoss,
  linearLoss: readLoss,
};
