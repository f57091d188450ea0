// The two modules as bytes, and compiling bytes: what runtimes at the edge forbid, so their entries bring none of this file.

import { BackendError } from "../errors.ts";
import { reasonIn } from "./features.ts";
import { refused } from "./load.ts";

/**
 * The module built into the package: plain and relaxed are chunks of their own, each loaded only where it is used.
 *
 * Throws    BackendError ("unavailable") where the engine lacks what unpacks it: DecompressionStream and its kin
 */
export async function builtInBytes(relaxed: boolean): Promise<ArrayBuffer> {
  const { deflated: base64 } = await (relaxed ? import("./kernels-relaxed.gen.ts") : import("./kernels.gen.ts"));
  try {
    const deflated = new Blob([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))]);
    return await new Response(deflated.stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  } catch (cause) {
    const message = `wasm: the built-in module cannot be unpacked here (${reasonIn(cause)}); pass a module, or use createJs()`;
    throw new BackendError("unavailable", message, { cause });
  }
}

/**
 * Compiles a module.
 *
 * Throws    BackendError ("unavailable") where WebAssembly may not be compiled
 */
export async function compile(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw refused(cause);
  }
}
