// One call on a device: its commands are recorded, submitted, and answered for, with results mapped or an error that says why
// there are none.

import { AbortError, BackendError } from "../../errors.ts";
import { isInvalid, type Pool } from "./buffers.ts";
import { type Commands, createRecorder, type Reading } from "./commands.ts";
import { lostError, noteLoss, type Opened } from "./device.ts";
import type { Reduction } from "./reduce.wgsl.ts";

const MAP_MODE_READ = 0x1;

/** A device, and the buffers that its calls share. */
export interface Queue extends Opened {
  readonly pool: Pool;
}

/** A device that calls can run on. */
export interface Gpu extends Queue {
  /** How workgroups reduce there. */
  readonly reduction: Reduction;
}

/** Milliseconds between two submissions of nothing. */
const LONGEST_WAIT = 4;

const scopes = ["internal", "out-of-memory", "validation"] as const;

/**
 * Records a call and submits it. The promise is fulfilled once every readback has been delivered; without readbacks, once the
 * commands are known to be valid. After the signal has aborted, nothing is delivered any more.
 *
 * Throws    AbortError; BackendError: the device is lost, out of memory, or refuses the commands
 */
export function submit(gpu: Queue, record: (commands: Commands) => void, signal?: AbortSignal): Promise<void> {
  const { device, pool } = gpu;
  for (const scope of scopes) device.pushErrorScope(scope);
  const { commands, end, taken, reads } = createRecorder(device, pool);
  const mapped: Promise<unknown>[] = [];
  let recorded = false;
  try {
    record(commands);
    end();
    for (const { staging, size } of reads) mapped.push(staging.mapAsync(MAP_MODE_READ, 0, size));
    recorded = true;
  } finally {
    mapped.push(...scopes.map(() => device.popErrorScope().then(throwScopeError)));
    if (!recorded) {
      // The caller gets the error that was thrown, and no other.
      void Promise.allSettled(mapped);
      for (const { staging } of reads) staging.destroy();
    }
    // Scratch buffers can be reused as soon as they are submitted: later commands are behind these in the queue.
    for (const buffer of taken) pool.give(buffer);
  }
  const settled = Promise.allSettled(mapped);
  if (pollsByTimer) void pollUntil(settled, device.queue);
  return settled.then((outcomes) => finish(gpu, taken, reads, outcomes, signal));
}

// Firefox looks every 100 ms whether a queue is done (bug 1870699), and whenever something is submitted to it.
const pollsByTimer = /\bFirefox\//.test((globalThis.navigator as Navigator | undefined)?.userAgent ?? "");

/** Submits nothing, again and again until `settled`. */
async function pollUntil(settled: Promise<unknown>, queue: GPUQueue): Promise<void> {
  let isPending = true;
  settled.then(() => {
    isPending = false;
  });
  for (let wait = 0; isPending; wait++) {
    queue.submit([]);
    await new Promise((resolve) => setTimeout(resolve, Math.min(wait, LONGEST_WAIT)));
  }
}

/** Submits a call whose results stay on the GPU; the promise need not be awaited: it is no unhandled rejection. */
export function submitLater(gpu: Queue, record: (commands: Commands) => void): Promise<void> {
  const done = submit(gpu, record);
  done.catch(() => {});
  return done;
}

async function finish(
  gpu: Queue,
  taken: ReadonlySet<GPUBuffer>,
  reads: readonly Reading[],
  outcomes: readonly PromiseSettledResult<unknown>[],
  signal: AbortSignal | undefined,
): Promise<void> {
  // The last: an error scope says more than the mapping that failed because of it.
  const failed = outcomes.findLast(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failed || gpu.lost !== undefined) {
    for (const { staging } of reads) staging.destroy();
    await noteLoss(gpu);
    if (gpu.lost === undefined && [...taken].some(isInvalid)) {
      throw new BackendError("out-of-memory", "WebGPU: not enough memory for this call", { cause: failed?.reason });
    }
    if (gpu.lost === undefined && failed?.reason instanceof BackendError) throw failed.reason;
    // Valid commands, and yet nothing can be mapped: Deno reports only later that the device was lost.
    gpu.lost ??= "it no longer answers";
    throw lostError(gpu.lost, failed?.reason);
  }
  for (const { staging, size, take } of reads) {
    if (!signal?.aborted) take(staging.getMappedRange(0, size));
    staging.unmap();
    gpu.pool.give(staging);
  }
  if (signal?.aborted) throw new AbortError(signal.reason);
}

function throwScopeError(error: GPUError | null): void {
  if (!error) return;
  const isMemory = error.constructor.name === "GPUOutOfMemoryError";
  const code = isMemory ? "out-of-memory" : "unavailable";
  throw new BackendError(code, `WebGPU refused the call: ${error.message || "no reason given"}`, { cause: error });
}
