// What one call has the GPU do: dispatches and copies recorded into one submission, results mapped once it is done.

import { AbortError, BackendError } from "../../errors.ts";
import { isInvalid, type Pool } from "./buffers.ts";
import { lostError, noteLoss, type Opened } from "./device.ts";
import { type Reading, recorder } from "./recorder.ts";

const MAP_MODE_READ = 0x1;

/** A part of a buffer; sizes and offsets in bytes, multiples of 4. */
export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** Records the commands of one call. */
export interface Commands {
  /** A range of a buffer that is this call's alone; its contents are anything. */
  scratch(bytes: number): Range;
  /** The arrays one after another, each padded to 4 bytes, in a buffer of this call, or of this part of it. */
  upload(...arrays: readonly ArrayBufferView[]): Range;
  /** Records a part of the call. Where it has uploaded much, it is submitted at its end, and its uploads are free again. */
  part(record: () => void): void;
  /** Runs a shader whose bindings 0, 1, … are the ranges. */
  run(code: string, groups: number, ...ranges: readonly Range[]): void;
  copy(from: Range, to: Range): void;
  /** Zeros. */
  clear(range: Range): void;
  /** Hands the bytes of a range over once the call is done; they are gone after it. */
  read(from: Range, take: (bytes: ArrayBuffer) => void): void;
}

/** The number of a workgroup, from built-ins that a shader's entry names `group` and `groups`. */
export const GROUP = "group.x + group.y * groups.x";

/** Ends a call whose signal says so. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new AbortError(signal.reason);
}

/** What a call runs on. */
export interface Gpu extends Opened {
  readonly pool: Pool;
}

/** The first `size` bytes after `offset` of a range. */
export const within = ({ buffer, offset }: Range, at: number, size: number): Range => ({
  buffer,
  offset: offset + at,
  size,
});

const scopes = ["internal", "out-of-memory", "validation"] as const;

/**
 * Records a call and submits it. The promise is fulfilled once what is read has been handed over; where nothing is read,
 * once the commands are known to be valid. Once the signal has aborted nothing is handed over any more.
 *
 * Throws    AbortError; BackendError: the device is lost, out of memory, or refuses the commands
 */
export function submit(gpu: Gpu, record: (commands: Commands) => void, signal?: AbortSignal): Promise<void> {
  const { device, pool } = gpu;
  for (const scope of scopes) device.pushErrorScope(scope);
  const { commands, end, taken, reads } = recorder(device, pool);
  const mapped: Promise<unknown>[] = [];
  let recorded = false;
  try {
    record(commands);
    end();
    for (const { staging, size } of reads) mapped.push(staging.mapAsync(MAP_MODE_READ, 0, size));
    recorded = true;
  } finally {
    mapped.push(...scopes.map(() => device.popErrorScope().then(refuse)));
    if (!recorded) {
      // The caller hears of what was thrown, and of nothing else.
      void Promise.allSettled(mapped);
      for (const { staging } of reads) staging.destroy();
    }
    // Scratch is free as soon as it is submitted: whoever takes it next is behind in the queue.
    for (const buffer of taken) pool.give(buffer);
  }
  return Promise.allSettled(mapped).then((outcomes) => finish(gpu, taken, reads, outcomes, signal));
}

async function finish(
  gpu: Gpu,
  taken: ReadonlySet<GPUBuffer>,
  reads: readonly Reading[],
  outcomes: readonly PromiseSettledResult<unknown>[],
  signal: AbortSignal | undefined,
): Promise<void> {
  // The error of a scope says more than that of the mapping that failed with it.
  const failed = outcomes.findLast(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failed || gpu.lost !== undefined) {
    for (const { staging } of reads) staging.destroy();
    await noteLoss(gpu);
    if (gpu.lost === undefined && [...taken].some(isInvalid)) {
      throw new BackendError("out-of-memory", "WebGPU: there was no memory for what the call takes", {
        cause: failed?.reason,
      });
    }
    if (gpu.lost === undefined && failed?.reason instanceof BackendError) throw failed.reason;
    // Commands were valid, and yet nothing can be mapped: Deno says only later that the device was lost.
    gpu.lost ??= "it answers no more";
    throw lostError(gpu.lost, failed?.reason);
  }
  for (const { staging, size, take } of reads) {
    if (!signal?.aborted) take(staging.getMappedRange(0, size));
    staging.unmap();
    gpu.pool.give(staging);
  }
  checkSignal(signal);
}

function refuse(error: GPUError | null): void {
  if (!error) return;
  const isMemory = error.constructor.name === "GPUOutOfMemoryError";
  const code = isMemory ? "out-of-memory" : "unavailable";
  throw new BackendError(code, `WebGPU refused the call: ${error.message || "no reason given"}`, { cause: error });
}
