// Whether memory can be shared with workers here, and if not, why.

/** Whether a buffer is shared, in any realm. */
export const isShared = (buffer: ArrayBufferLike): boolean =>
  Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]";

/** Why memory cannot be shared here; undefined where it can. */
export function sharingRefusal(): string | undefined {
  if (typeof SharedArrayBuffer !== "function") {
    return "SharedArrayBuffer is not defined: the page is not cross-origin isolated, or the engine does not offer it";
  }
  // Some engines define it and refuse to send it.
  const { port1 } = new MessageChannel();
  try {
    port1.postMessage(new SharedArrayBuffer(8));
    return undefined;
  } catch {
    return "this place does not send a SharedArrayBuffer to workers: the page is not cross-origin isolated";
  } finally {
    port1.close();
  }
}

/** A memory of the kernels that is shared: as large a limit as this engine allows. */
export function createSharedMemory(bytes: number): WebAssembly.Memory | undefined {
  const initial = Math.ceil(bytes / 65536);
  for (let maximum = 65536; maximum >= 4096; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    } catch {
      // The address space that a shared memory reserves at once may be scarce.
    }
  }
  return undefined;
}
