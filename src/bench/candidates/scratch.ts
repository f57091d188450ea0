// How much WebAssembly memory a backend takes beside the arrays that it was asked for. No public call tells.

export interface Recorder {
  /** Bytes of all memories made since it began. */
  bytes(): number;
  /** Memories made from now on are not counted. */
  stop(): void;
}

/** Undefined where the class cannot be replaced. */
export function recordMemories(): Recorder | undefined {
  const { Memory } = WebAssembly;
  const memories: WebAssembly.Memory[] = [];
  try {
    WebAssembly.Memory = class extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        super(descriptor);
        memories.push(this);
      }
    };
  } catch {
    return undefined;
  }
  return {
    bytes: () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0),
    stop() {
      WebAssembly.Memory = Memory;
    },
  };
}
