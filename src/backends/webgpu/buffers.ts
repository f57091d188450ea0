// A pool of buffers, kept by size, so that a training loop creates none after its first step.

import { BackendError } from "../../errors.ts";

// Numbers, since the browser's globals may be missing where a device is passed in.
export const usage = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 } as const;

/** Usage of buffers that shaders read and write. */
export const STORAGE_USAGE = usage.STORAGE | usage.COPY_DST | usage.COPY_SRC;

/** Sizes of copies and bindings are multiples of 4. */
export const align = (bytes: number): number => Math.ceil(bytes / 4) * 4;

// Buffers that there was no memory for: submissions that use one are refused, and none is lent again.
const invalid = new WeakSet<GPUBuffer>();

/** Whether there was no memory for a buffer; known once a later error scope has resolved. */
export const isInvalid = (buffer: GPUBuffer): boolean => invalid.has(buffer);

/**
 * A new buffer. Where there is no memory for it, it is invalid: the submission that uses it is refused then, in its own error
 * scopes, and nothing reaches the console.
 *
 * Throws    BackendError "out-of-memory" for more than `maxBufferSize`
 */
export function makeBuffer(device: GPUDevice, bytes: number, usage: number): GPUBuffer {
  const { maxBufferSize } = device.limits;
  if (bytes > maxBufferSize) {
    throw new BackendError("out-of-memory", `GPU buffer: expected at most ${maxBufferSize} bytes, got ${bytes}`);
  }
  device.pushErrorScope("out-of-memory");
  const buffer = device.createBuffer({ size: bytes, usage });
  device.popErrorScope().then(
    (error) => error && invalid.add(buffer),
    () => {},
  );
  return buffer;
}

export interface Pool {
  /** Lends a buffer of at least `bytes`; its contents are undefined. Throws    as `makeBuffer` */
  take(bytes: number, usage: number): GPUBuffer;
  give(buffer: GPUBuffer): void;
  /** Destroys idle buffers, and from then on those that are returned. */
  close(): void;
}

/** Bytes that may lie idle; beyond them, returned buffers are destroyed. */
const IDLE = 1 << 29;
const MEBI = 1 << 20;

// Powers of two up to a mebibyte, then whole mebibytes: few sizes where they are small, little waste where they are large.
const sizeOf = (bytes: number): number =>
  bytes > MEBI ? Math.ceil(bytes / MEBI) * MEBI : 2 ** Math.ceil(Math.log2(Math.max(bytes, 256)));

export function createPool(device: GPUDevice): Pool {
  const idle = new Map<string, GPUBuffer[]>();
  let bytesIdle = 0;
  let closed = false;
  return {
    take(bytes, usage) {
      const size = Math.min(sizeOf(bytes), Math.max(bytes, device.limits.maxBufferSize));
      const list = idle.get(`${usage} ${size}`) ?? [];
      for (let found = list.pop(); found; found = list.pop()) {
        bytesIdle -= size;
        if (!isInvalid(found)) return found;
      }
      return makeBuffer(device, size, usage);
    },
    give(buffer) {
      if (closed || bytesIdle + buffer.size > IDLE) {
        buffer.destroy();
        return;
      }
      const key = `${buffer.usage} ${buffer.size}`;
      bytesIdle += buffer.size;
      const list = idle.get(key);
      if (list) list.push(buffer);
      else idle.set(key, [buffer]);
    },
    close() {
      closed = true;
      for (const buffer of [...idle.values()].flat()) buffer.destroy();
      idle.clear();
    },
  };
}
