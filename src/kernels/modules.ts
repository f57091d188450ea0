// Which module a factory starts from: the caller's, or the one built in that suits this engine.

import { wrongKind } from "../checks/refusals.ts";
import { BackendError } from "../errors.ts";
import { builtInBytes, compile } from "./built-in.ts";
import { hasRelaxedSimd, hasSimd } from "./features.ts";
import { isBytes, readSource, type WasmSource } from "./load.ts";

/** The options of factories that say which module is wanted. */
export interface ModuleOptions {
  module?: WasmSource | Promise<WasmSource> | undefined;
  relaxed?: boolean | undefined;
}

/**
 * The module that the options ask for, its bytes where they are known, and what kind of module it is, in words.
 *
 * Throws    KindError; BackendError ("unavailable") where the engine lacks what it needs, or it cannot be unpacked or compiled
 */
export async function findModule({ module: given, relaxed = hasRelaxedSimd() }: ModuleOptions) {
  if (typeof relaxed !== "boolean") throw wrongKind("relaxed", "true or false", relaxed);
  // What refuses to compile is otherwise taken for a content policy's doing.
  if (!hasSimd()) throw lacks("no WebAssembly SIMD; use createJs()");
  if (given === undefined && relaxed && !hasRelaxedSimd()) {
    throw lacks("no relaxed SIMD, or has it behind a flag; leave relaxed out for the plain kernels");
  }
  const source = given === undefined ? await builtInBytes(relaxed) : await readSource(given);
  const plainKind = relaxed ? "relaxed SIMD, fused multiply-add" : "SIMD";
  const kind = given === undefined ? plainKind : "the module given";
  return isBytes(source) ? { module: await compile(source), bytes: source, kind } : { module: source, kind };
}

const lacks = (what: string): BackendError => new BackendError("unavailable", `wasm: this engine has ${what}`);
