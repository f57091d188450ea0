// What a call records: dispatches, copies, uploads and readbacks, with pipelines that live as long as their device and buffers
// borrowed from its pool.

import { align, type Pool, STORAGE_USAGE, usage } from "./buffers.ts";

/** Part of a buffer; offset and size in bytes, multiples of 4. */
export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** `size` bytes of a range, from byte `at` of it. */
export const within = ({ buffer, offset }: Range, at: number, size: number): Range => ({
  buffer,
  offset: offset + at,
  size,
});

/** Records the commands of one call. */
export interface Commands {
  /** Reserves a buffer for the duration of this call; its contents are undefined. */
  scratch(bytes: number): Range;
  /** Writes arrays one after another, each padded to 4 bytes, into a scratch buffer. */
  upload(...arrays: readonly ArrayBufferView[]): Range;
  /** Records part of a call. After large uploads the part is submitted at its end, so that their buffers can be reused. */
  part(record: () => void): void;
  /** Dispatches a shader; the ranges are its bindings 0, 1, … */
  run(code: string, groups: number, ...ranges: readonly Range[]): void;
  copy(from: Range, to: Range): void;
  /** Fills with zeros. */
  clear(range: Range): void;
  /** Passes the bytes of a range to `take` once the call is done; they are valid only during that call. */
  read(from: Range, take: (bytes: ArrayBuffer) => void): void;
}

/** A readback that was recorded. */
export interface Reading {
  readonly staging: GPUBuffer;
  readonly size: number;
  readonly take: (bytes: ArrayBuffer) => void;
}

// A dispatch has at most 65535 workgroups per dimension: shaders combine two dimensions into one index (`GROUP`).
const MOST_GROUPS = 65535;

/** Bytes of uploads that the parts of a call may hold before they are submitted. */
const PARTS_BYTES = 1 << 27;

// Shared by all backends on a device.
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

/** Records one call; `end` submits what is left. `taken` are the buffers borrowed from the pool, `reads` the readbacks. */
export function createRecorder(device: GPUDevice, pool: Pool) {
  const taken = new Set<GPUBuffer>();
  const reads: Reading[] = [];
  let encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | undefined;
  const uploadsOfParts: GPUBuffer[] = [];
  let isPart = false;
  const endPass = (): void => {
    pass?.end();
    pass = undefined;
  };
  const end = (): void => {
    endPass();
    device.queue.submit([encoder.finish()]);
  };
  const scratch: Commands["scratch"] = (bytes) => {
    const buffer = pool.take(bytes, STORAGE_USAGE);
    taken.add(buffer);
    return { buffer, offset: 0, size: Math.max(4, align(bytes)) };
  };
  const copy: Commands["copy"] = (from, to) => {
    endPass();
    encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.size);
  };
  const commands: Commands = {
    scratch,
    copy,
    clear(range) {
      endPass();
      encoder.clearBuffer(range.buffer, range.offset, range.size);
    },
    upload(...arrays) {
      const bytes = arrays.reduce((bytes, { byteLength }) => bytes + align(byteLength), 0);
      const range = scratch(bytes);
      if (isPart) uploadsOfParts.push(range.buffer);
      let at = 0;
      for (const array of arrays) {
        writeBuffer(device.queue, range.buffer, at, array);
        at += align(array.byteLength);
      }
      return range;
    },
    part(record) {
      isPart = true;
      record();
      isPart = false;
      if (uploadsOfParts.reduce((bytes, { size }) => bytes + size, 0) < PARTS_BYTES) return;
      // The queue may write to these buffers again only after the commands that read them are submitted.
      end();
      encoder = device.createCommandEncoder();
      for (const buffer of uploadsOfParts.splice(0)) {
        taken.delete(buffer);
        pool.give(buffer);
      }
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
  return { commands, end, taken, reads };
}

/**
 * Writes an array to a buffer. The queue takes multiples of 4 bytes, so an odd last half float is padded; and not every
 * engine's queue takes shared memory, so that is copied.
 */
export function writeBuffer(queue: GPUQueue, buffer: GPUBuffer, at: number, given: ArrayBufferView): void {
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

/** The words of a shader's parameters: integers as they are, floats as float32, in the order of the struct's fields. */
export function packParams(fields: readonly ({ u32: number } | { f32: number } | readonly number[])[]): Uint32Array {
  const words: number[] = [];
  for (const field of fields) {
    if ("u32" in field) words.push(field.u32);
    else words.push(...bitsOf("f32" in field ? [field.f32] : field));
  }
  return Uint32Array.from(words);
}

const bitsOf = (floats: readonly number[]): Uint32Array => new Uint32Array(Float32Array.from(floats).buffer);
