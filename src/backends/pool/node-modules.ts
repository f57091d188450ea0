// Modules of Node, for code that runs in other places too: an import by name would have bundlers for the web look for them.

interface NodeModules {
  "node:fs": typeof import("node:fs");
  "node:os": typeof import("node:os");
  "node:worker_threads": typeof import("node:worker_threads");
}

const names = ["node:fs", "node:os", "node:worker_threads"];

/** What Node 20.0 to 20.15 only import, which takes a promise. */
const imported: Partial<NodeModules> = {};

/** Bun and Deno have Node's modules, and the web's workers. */
export function isNode(): boolean {
  const { node, bun, deno } = globalThis.process?.versions ?? {};
  return node !== undefined && !bun && !deno;
}

/** To be awaited before `nodeModule` is asked. */
export async function importNodeModules(): Promise<void> {
  if (!isNode() || "getBuiltinModule" in process) return;
  const load = (name: string) => import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name);
  const modules = await Promise.all(names.map(load));
  for (const [i, name] of names.entries()) Object.assign(imported, { [name]: modules[i] });
}

/** A module of Node, where there is one. */
export const nodeModule = <Name extends keyof NodeModules>(name: Name): NodeModules[Name] | undefined =>
  globalThis.process?.getBuiltinModule?.(name) ?? imported[name];
