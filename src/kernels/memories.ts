// Which WebAssembly memory a buffer is the buffer of: other modules can then work on a backend's arrays where they lie.

const memories = new WeakMap<ArrayBufferLike, WebAssembly.Memory>();

/** Remembers a memory by the buffer that it has now; one that grows has another afterwards, and keeps this one only if it is shared. */
export function rememberMemory(memory: WebAssembly.Memory): void {
  memories.set(memory.buffer, memory);
}

/** The memory of a buffer, if it is one of ours. */
export const memoryOf = (buffer: ArrayBufferLike): WebAssembly.Memory | undefined => memories.get(buffer);
