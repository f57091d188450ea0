// An instance of its own for work whose memory grows with the call: made when it is first needed, grown to the largest. The
// memory of `allocate` never grows, so no array of it is ever detached.

import { BackendError } from "../errors.ts";
import { align } from "./heap.ts";
import { instantiate, type KernelExports, STATIC_BYTES } from "./load.ts";

const PAGE = 65536;

/** Lays out areas one after another: `take` gives the address of so many bytes, `end` is where the last one ends. */
export function layOut() {
  let at = STATIC_BYTES;
  return {
    take(bytes: number): number {
      at += align(bytes);
      return at - align(bytes);
    },
    end: () => at,
  };
}

/** Makes an instance over a memory. */
export type Instantiate = (module: WebAssembly.Module, memory: WebAssembly.Memory) => KernelExports;

/** Gives the kernels and a memory of at least so many bytes, for the call `name`. Views hold until the next. */
export function growing(module: WebAssembly.Module, name: string, make: Instantiate = instantiate) {
  let memory: WebAssembly.Memory | undefined;
  let kernels: KernelExports | undefined;
  return (bytes: number): { kernels: KernelExports; buffer: ArrayBuffer } => {
    memory ??= new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    kernels ??= make(module, memory);
    const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE);
    try {
      if (pages > 0) memory.grow(pages);
    } catch (cause) {
      throw new BackendError("out-of-memory", `${name}: expected ${bytes} bytes of memory, got no more`, { cause });
    }
    return { kernels, buffer: memory.buffer };
  };
}
