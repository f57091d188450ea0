// The libraries that a benchmark measures beside this package, where they are installed in or above a folder.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { pageModules } from "../../bench/peers/index.ts";

export interface InstalledPeer {
  readonly folder: string;
  /** Its module for pages, relative to the folder; undefined where it has none. */
  readonly pageModule: string | undefined;
  /** Address of its module for Node, and for what takes Node's packages. */
  readonly address: string;
}

/** The packages of all peers; one of them has no form for pages. */
const known = [...Object.keys(pageModules), "onnxruntime-node"];

export type Peers = ReadonlyMap<string, InstalledPeer>;

export function findPeers(folder: string): Peers {
  const require = createRequire(join(folder, "package.json"));
  const found = new Map<string, InstalledPeer>();
  for (const name of known) {
    for (const place of require.resolve.paths(name) ?? []) {
      const at = join(place, name);
      const manifest = readManifest(at);
      if (!manifest) continue;
      const main = imported(manifest.exports) ?? manifest.main ?? "index.js";
      found.set(name, { folder: at, pageModule: pageModules[name], address: pathToFileURL(join(at, main)).href });
      break;
    }
  }
  return found;
}

/** As an order has them. */
export const addressesOf = (peers: Peers): Record<string, string> =>
  Object.fromEntries([...peers].map(([name, { address }]) => [name, address]));

interface Manifest {
  readonly main?: string;
  readonly exports?: unknown;
}

function readManifest(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}

/** What `import` of the package takes in Node: the first condition that holds, in the manifest's order. */
function imported(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (typeof target !== "object" || target === null) return undefined;
  if ("." in target) return imported(target["."]);
  for (const [condition, next] of Object.entries(target)) {
    const found = ["node", "import", "default"].includes(condition) ? imported(next) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
