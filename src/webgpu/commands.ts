// What one call has the GPU do: dispatches and copies recorded into one submission, results mapped once it is done.

import { AbortError, BackendError } from "../errors.ts";
import { lostError, noteLoss, type Opened } from "./device.ts";
import { type Pool, STORAGE_USAGE } from "./pool.ts";

// The flags as numbers: where a device is handed in, there need not be the browser's globals.
export const usage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 } as const;
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

// A dispatch has at most 65535 workgroups a side: shaders make one number of two with `GROUP`.
const MOST_GROUPS = 65535;

/** The number of a workgroup, from built-ins that a shader's entry names `group` and `groups`. */
export const GROUP = "group.x + group.y * groups.x";

// Pipelines live as long as their device, whichever backend made them.
const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

function pipelineOf(device: GPUDevice, code: string): GPUComputePipeline {
  const known = pipelines.get(device) ?? new Map<string, GPUComputePipeline>();
  pipelines.set(device, known);
  const found = known.get(code);
  if (found) return found;
  const module = device.createShaderModule({ code });
  const made = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  known.set(code, made);
  return made;
}

/** Bytes of uploads that a part of a call may keep until the call's end. */
const PART_BYTES = 1 << 26;

const scopes = ["internal", "out-of-memory", "validation"] as const;

/**
 * Records a call and submits it. The promise is fulfilled once what is read has been handed over; where nothing is read,
 * once the commands are known to be valid.
 *
 * Throws    BackendError: the device is lost, out of memory, or refuses the commands
 */
export function submit(gpu: Gpu, record: (commands: Commands) => void): Promise<void> {
  const { device, pool } = gpu;
  for (const scope of scopes) device.pushErrorScope(scope);
  const taken: GPUBuffer[] = [];
  const reads: { staging: GPUBuffer; size: number; take: (bytes: ArrayBuffer) => void }[] = [];
  const mapped: Promise<unknown>[] = [];
  try {
    const { commands, end } = recorder(device, pool, taken, reads);
    record(commands);
    end();
    for (const { staging, size } of reads) mapped.push(staging.mapAsync(MAP_MODE_READ, 0, size));
  } finally {
    const errors = scopes.map(() => device.popErrorScope());
    mapped.push(...errors.map(async (error) => refuse(await error)));
  }
  // Scratch is free as soon as it is submitted: whoever takes it next is behind in the queue.
  for (const buffer of taken) pool.give(buffer);
  return Promise.allSettled(mapped).then((outcomes) => finish(gpu, reads, outcomes));
}

async function finish(
  gpu: Gpu,
  reads: readonly { staging: GPUBuffer; size: number; take: (bytes: ArrayBuffer) => void }[],
  outcomes: readonly PromiseSettledResult<unknown>[],
): Promise<void> {
  // The error of a scope says more than that of the mapping that failed with it.
  const failed = outcomes.findLast(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
  if (failed || gpu.lost !== undefined) {
    for (const { staging } of reads) staging.destroy();
    await noteLoss(gpu);
    if (gpu.lost === undefined && failed?.reason instanceof BackendError) throw failed.reason;
    // Commands were valid, and yet nothing can be mapped: Deno says only later that the device was lost.
    gpu.lost ??= "it answers no more";
    throw lostError(gpu.lost, failed?.reason);
  }
  for (const { staging, size, take } of reads) {
    take(staging.getMappedRange(0, size));
    staging.unmap();
    gpu.pool.give(staging);
  }
}

function refuse(error: GPUError | null): void {
  if (!error) return;
  const isMemory = error.constructor.name === "GPUOutOfMemoryError";
  const code = isMemory ? "out-of-memory" : "unavailable";
  throw new BackendError(code, `WebGPU refused the call: ${error.message || "no reason given"}`, { cause: error });
}

function recorder(
  device: GPUDevice,
  pool: Pool,
  taken: GPUBuffer[],
  reads: { staging: GPUBuffer; size: number; take: (bytes: ArrayBuffer) => void }[],
) {
  let encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | undefined;
  let uploads = taken;
  let uploaded = 0;
  const endPass = (): void => {
    pass?.end();
    pass = undefined;
  };
  const submit = (): void => {
    endPass();
    device.queue.submit([encoder.finish()]);
  };
  const take = (bytes: number, owner: GPUBuffer[]): Range => {
    const buffer = pool.take(bytes, STORAGE_USAGE);
    owner.push(buffer);
    return { buffer, offset: 0, size: Math.max(4, align(bytes)) };
  };
  const copy: Commands["copy"] = (from, to) => {
    endPass();
    encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.size);
  };
  const commands: Commands = {
    scratch: (bytes) => take(bytes, taken),
    copy,
    clear(range) {
      endPass();
      encoder.clearBuffer(range.buffer, range.offset, range.size);
    },
    upload(...arrays) {
      const bytes = arrays.reduce((bytes, { byteLength }) => bytes + align(byteLength), 0);
      const range = take(bytes, uploads);
      uploaded += bytes;
      let at = 0;
      for (const array of arrays) {
        write(device.queue, range.buffer, at, array);
        at += align(array.byteLength);
      }
      return range;
    },
    part(record) {
      const ofPart: GPUBuffer[] = [];
      [uploads, uploaded] = [ofPart, 0];
      record();
      uploads = taken;
      if (uploaded < PART_BYTES) {
        taken.push(...ofPart);
        return;
      }
      // What the queue writes into them next comes after this submission; before it, it would come too early.
      submit();
      encoder = device.createCommandEncoder();
      for (const buffer of ofPart) pool.give(buffer);
    },
    run(code, groups, ...ranges) {
      if (groups === 0) return;
      const pipeline = pipelineOf(device, code);
      const entries = ranges.map((resource, binding) => ({ binding, resource }));
      pass ??= encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
      const rows = Math.ceil(groups / MOST_GROUPS);
      pass.dispatchWorkgroups(Math.ceil(groups / rows), rows);
    },
    read(from, take) {
      const staging = pool.take(from.size, usage.MAP_READ | usage.COPY_DST);
      copy(from, { buffer: staging, offset: 0, size: from.size });
      reads.push({ staging, size: from.size, take });
    },
  };
  return { commands, end: submit };
}

export const align = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** The queue writes multiples of 4 bytes: an odd last float16 goes by itself. Not every engine's takes shared memory. */
export function write(queue: GPUQueue, buffer: GPUBuffer, at: number, given: ArrayBufferView): void {
  const isShared = Object.prototype.toString.call(given.buffer) === "[object SharedArrayBuffer]";
  const array = isShared ? (given as Uint8Array).slice() : given;
  const { buffer: memory, byteOffset, byteLength } = array;
  const whole = byteLength - (byteLength % 4);
  if (whole > 0) queue.writeBuffer(buffer, at, memory as ArrayBuffer, byteOffset, whole);
  if (whole === byteLength) return;
  const rest = new Uint8Array(4);
  rest.set(new Uint8Array(memory, byteOffset + whole, byteLength - whole));
  queue.writeBuffer(buffer, at + whole, rest);
}
