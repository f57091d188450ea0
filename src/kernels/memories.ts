// Which WebAssembly memory a buffer is the buffer of: other modules can then work on a backend's arrays where they lie.

const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/** Remembers a memory by its buffer, which must never grow. */
export function rememberMemory(memory: WebAssembly.Memory): WebAssembly.Memory {
  memories.set(memory.buffer, memory);
  return memory;
}

/** The memory of a buffer, if it is one of ours. */
export const memoryOf = (buffer: ArrayBufferLike): WebAssembly.Memory | undefined => memories.get(buffer);
