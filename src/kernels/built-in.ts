// The two modules as bytes, and compiling bytes: what runtimes at the edge forbid, so their entries bring none of this file.

import { BackendError } from "../errors.ts";
import { reasonIn } from "../messages.ts";
import { refused } from "./load.ts";

/**
 * The module built into the package: plain and relaxed are chunks of their own, each loaded only where it is used.
 *
 * Throws    BackendError ("unavailable") where the engine lacks what unpacks it: DecompressionStream and its kin
 */
export async function builtInBytes(relaxed: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const { deflated: base64 } = await (relaxed ? import("./kernels-relaxed.gen.ts") : import("./kernels.gen.ts"));
  try {
    return inflateNow(base64) ?? (await inflate(bytesOf(atob(base64))));
  } catch (cause) {
    const message = `wasm: the built-in module cannot be unpacked here (${reasonIn(cause)}); pass a module, or use createJs()`;
    throw new BackendError("unavailable", message, { cause });
  }
}

// At once by zlib itself, where there is Node's: a stream has Node load all of web streams first, and Deno and Bun the other way round.
// measured, processor time of a process's first call: 16 ms by a stream, 4 so.
function inflateNow(base64: string): Uint8Array<ArrayBuffer> | undefined {
  const { process } = globalThis;
  const { deno, bun } = process?.versions ?? {};
  const zlib = deno || bun ? undefined : process?.getBuiltinModule?.("node:zlib");
  return zlib?.inflateSync(process.getBuiltinModule("node:buffer").Buffer.from(base64, "base64"));
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// By the stream alone: to have a Response, Node loads all of fetch.
// measured, a process's first call: 86 ms by way of a Response and 21 so, on a busy machine.
async function inflate(deflated: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new DecompressionStream("deflate");
  const writer = writable.getWriter();
  // What fails here fails where it is read.
  Promise.all([writer.write(deflated), writer.close()]).catch(() => {});
  const reader = readable.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
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
