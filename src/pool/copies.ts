// Buffers of the copies that travel to workers and back: reused, since fresh pages cost more than the copy itself.
// measured: docs/performance.md, "Pool"

import { KEPT_BYTES } from "./break-even.ts";

export interface Copies {
  take(bytes: number): ArrayBuffer;
  giveBack(buffer: ArrayBuffer | undefined): void;
  /** Whether workers may keep so many more bytes; `release` says that they no longer do. */
  mayKeep(bytes: number): boolean;
  release(bytes: number): void;
}

export function createCopies(): Copies {
  const spare: ArrayBuffer[] = [];
  let spareBytes = 0;
  let keptBytes = 0;
  return {
    take(bytes) {
      const at = spare.findIndex(({ byteLength }) => byteLength >= bytes && byteLength <= 2 * bytes);
      const [buffer] = at < 0 ? [] : spare.splice(at, 1);
      if (!buffer) return new ArrayBuffer(bytes);
      spareBytes -= buffer.byteLength;
      return buffer;
    },
    giveBack(buffer) {
      if (!buffer || spareBytes + buffer.byteLength > KEPT_BYTES) return;
      spareBytes += buffer.byteLength;
      spare.push(buffer);
    },
    mayKeep(bytes) {
      if (keptBytes + bytes > KEPT_BYTES) return false;
      keptBytes += bytes;
      return true;
    },
    release(bytes) {
      keptBytes -= bytes;
    },
  };
}
