// The device that calls run on: the caller's, or one of our own that is asked for again after it was lost.

import { recordOf } from "../../checks/record.ts";
import { BackendError, KindError } from "../../errors.ts";
import type { GpuDevice, Instance } from "../../globals.ts";
import { checkOneOf } from "../../inputs/options.ts";
import { kindOf } from "../../messages.ts";

export interface WebGpuOptions {
  /** A device to share; it is never destroyed here. */
  device?: GpuDevice | undefined;
  /** An adapter to make a device of, in place of the one that the browser chooses. */
  adapter?: Instance<"GPUAdapter", object> | undefined;
  /** Passed on to `requestAdapter`. */
  powerPreference?: "low-power" | "high-performance" | undefined;
}

/** A device, and whether it still is one. */
export interface Opened {
  readonly device: GPUDevice;
  readonly owned: boolean;
  /** Set once the device is lost. */
  lost: string | undefined;
}

/** Limits that a device is requested with at the adapter's maximum. */
const wanted = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

const unavailable = (message: string, cause?: unknown): BackendError =>
  new BackendError("unavailable", `WebGPU: ${message}`, cause === undefined ? undefined : { cause });

const gpuHere = (): GPU | undefined => (globalThis.navigator as Navigator | undefined)?.gpu;

/** An adapter, or an error that says why there is none. */
export async function findAdapter(powerPreference?: GPUPowerPreference): Promise<GPUAdapter> {
  const gpu = gpuHere();
  if (!gpu)
    throw unavailable("navigator.gpu is missing: this engine has no WebGPU, or the page is not a secure context");
  const adapter = await gpu.requestAdapter(powerPreference && { powerPreference }).catch((cause) => {
    throw unavailable("requesting an adapter failed", cause);
  });
  if (!adapter) throw unavailable("expected an adapter, got none: no driver, or one that the browser blocks");
  return adapter;
}

/** Whether an adapter is a GPU, and not a driver that computes on the processor. */
export function isRealGpu({ info }: Pick<GPUAdapter, "info">): boolean {
  const { isFallbackAdapter = false } = info as GPUAdapterInfo & { isFallbackAdapter?: boolean };
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return !isFallbackAdapter && !/swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(text);
}

/** Whether there is an adapter that is a real GPU. */
export const hasRealGpu = (): Promise<boolean> =>
  findAdapter().then(isRealGpu, (error: unknown) => {
    if (error instanceof BackendError) return false;
    throw error;
  });

/** What kind of GPU it is, in words. */
export function describeInfo(info: GPUAdapterInfo | undefined): string {
  // Some engines give numbers for names.
  const names = [info?.vendor, info?.architecture, info?.device, info?.description];
  const words = [...new Set(names)].filter((name) => /[a-z]/i.test(name ?? "")).join(" ");
  return words || "an adapter without a name";
}

// Deno ends the process when a device is asked about an adapter that has been collected.
const adapters = new WeakMap<GPUDevice, GPUAdapter>();

async function makeDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits = Object.fromEntries(wanted.map((name) => [name, adapter.limits[name]]));
  const requiredFeatures = (["subgroups"] as GPUFeatureName[]).filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch((cause) => {
    throw unavailable("the adapter gave no device", cause);
  });
  adapters.set(device, adapter);
  return device;
}

/** The options of `createWebGpu`, read once. Throws    KindError, ParamError */
export function readWebGpuOptions(given: unknown): WebGpuOptions {
  const { device, adapter, powerPreference } = readOptions(given);
  if (device !== undefined) checkHas(device, "device", "a GPUDevice", ["createBuffer", "pushErrorScope", "destroy"]);
  if (adapter !== undefined) checkHas(adapter, "adapter", "a GPUAdapter", ["requestDevice"]);
  if (powerPreference !== undefined) checkOneOf(powerPreference, "powerPreference", ["low-power", "high-performance"]);
  return { device, adapter, powerPreference };
}

const readOptions = recordOf<WebGpuOptions>({ what: "options", field: "an option of createWebGpu" }, [
  "device",
  "adapter",
  "powerPreference",
]);

// By what it can do: devices come from other realms, and from packages that bring WebGPU to Node.
function checkHas(value: object, name: string, expected: string, methods: readonly string[]): void {
  let cause: unknown;
  try {
    if (methods.every((method) => typeof value[method as never] === "function")) return;
  } catch (thrown) {
    cause = thrown;
  }
  throw new KindError(`${name}: expected ${expected}, got ${kindOf(value)}`, { cause });
}

/** Opens the device; `lost` watches over it from then on. */
export async function openDevice({ device, adapter, powerPreference }: WebGpuOptions): Promise<Opened> {
  const found = device ?? (await makeDevice(adapter ?? (await findAdapter(powerPreference))));
  const opened: Opened = { device: found, owned: device === undefined, lost: undefined };
  found.lost.then(({ reason, message }) => {
    opened.lost = message || reason || "no reason given";
  });
  return opened;
}

/** Notes a loss that the engine has not told of yet: until it does, Firefox refuses commands as if they were invalid. */
export async function noteLoss(opened: Opened): Promise<void> {
  const { device } = opened;
  if (opened.lost !== undefined) return;
  device.pushErrorScope("validation");
  const buffer = device.createBuffer({ size: 4, usage: 0x8 });
  device.queue.writeBuffer(buffer, 0, new Uint8Array(4));
  buffer.destroy();
  if (await device.popErrorScope().catch(() => true)) opened.lost ??= "it takes no commands";
}

/** The error of a call whose device is gone. */
export const lostError = (why: string, cause?: unknown): BackendError =>
  unavailable(`the device was lost: ${why}`, cause);
