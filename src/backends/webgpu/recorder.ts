// Commands as they are recorded: into encoders, with pipelines that live as long as their device, on buffers of the pool.

import { align, type Pool, STORAGE_USAGE, usage } from "./buffers.ts";
import type { Commands } from "./commands.ts";

// A dispatch has at most 65535 workgroups a side: shaders make one number of two with `GROUP`.
const MOST_GROUPS = 65535;

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

/** Bytes of uploads that the parts of a call may keep until its end. */
const PARTS_BYTES = 1 << 27;

/** What a call has read back. */
export interface Reading {
  readonly staging: GPUBuffer;
  readonly size: number;
  readonly take: (bytes: ArrayBuffer) => void;
}

/** Records one call: the buffers that it has taken, what it reads back; `end` submits what is left. */
export function recorder(device: GPUDevice, pool: Pool) {
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
  const submit = (): void => {
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
        write(device.queue, range.buffer, at, array);
        at += align(array.byteLength);
      }
      return range;
    },
    part(record) {
      isPart = true;
      record();
      isPart = false;
      if (uploadsOfParts.reduce((bytes, { size }) => bytes + size, 0) < PARTS_BYTES) return;
      // What the queue writes into them next comes after this submission; before it, it would come too early.
      submit();
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
  return { commands, end: submit, taken, reads };
}

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
