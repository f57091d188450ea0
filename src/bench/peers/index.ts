// The libraries that dpo-kernels is measured beside.

import type { Candidate, Skipped } from "../types.ts";
import { jaxJs } from "./jax-js.ts";
import { onnxruntimeNode, onnxruntimeWeb } from "./onnxruntime/index.ts";
import { found, type Libraries, type Peer } from "./peer.ts";
import { plainJs } from "./plain-js/index.ts";
import { tfjsWasm } from "./tfjs-wasm.ts";

export { type Libraries, librariesAt } from "./peer.ts";

/** By name, in the order in which they start. */
const table: Readonly<Record<string, Peer>> = {
  "plain-js": plainJs,
  "onnxruntime-web": onnxruntimeWeb,
  "onnxruntime-node": onnxruntimeNode,
  "tfjs-wasm": tfjsWasm,
  "jax-js": jaxJs,
};

export const peerNames: readonly string[] = Object.keys(table);

/** Modules that a page's import map has to name: the package's files, relative to its folder, as they are for pages. */
export const pageModules: Readonly<Record<string, string>> = {
  "onnxruntime-web": "dist/ort.wasm.bundle.min.mjs",
  "@tensorflow/tfjs-core": "dist/tf-core.fesm.min.js",
  "@tensorflow/tfjs-backend-wasm": "dist/tf-backend-wasm.fesm.min.js",
  "@jax-js/jax": "dist/index.js",
};

/**
 * Candidates of the other libraries that are installed, and for the rest the reason why not. They start one after the other, because two
 * of them change the runtime's globals while they start.
 */
export async function createPeers(
  names: readonly string[] = peerNames,
  libraries: Libraries = found,
): Promise<{ candidates: Candidate[]; skipped: Skipped[] }> {
  const candidates: Candidate[] = [];
  const skipped: Skipped[] = [];
  for (const name of names) {
    const peer = await (table[name] as Peer)(libraries);
    if ("why" in peer) skipped.push(peer);
    else candidates.push(peer);
  }
  return { candidates, skipped };
}
