// Hidden states in a store, for those that memory has no room for. What this training has put there is trusted, and nothing else: a
// store may hold what another model gave.

import type { FloatData, FloatType } from "../../inputs/floats.ts";
import { readSafetensors } from "../../safetensors/read.ts";
import { writeSafetensors } from "../../safetensors/write.ts";
import type { Example } from "./examples.ts";
import type { Shelf, States } from "./states.ts";
import type { Store } from "./types.ts";

/** A shelf, and how it is cleared. `name` tells those of one store apart. */
export function openShelf(store: Store, name: string): Shelf & { clear(): Promise<void> } {
  const written = new Map<Example, FloatType>();
  const nameOf = ({ index }: Example): string => `${name}-${index}.safetensors`;
  return {
    async read(example) {
      const type = written.get(example);
      const file = type && (await store.read(nameOf(example)));
      if (!file) return undefined;
      try {
        const { tensors } = readSafetensors(file);
        return { type, rows: example.rows.map((_, i) => tensors[i]?.data as FloatData["data"]) };
      } catch {
        // Damaged since: it is computed anew.
        return undefined;
      }
    },
    async write(example, { type, rows }: States) {
      const dtype = ({ f32: "F32", f16: "F16", bf16: "BF16" } as const)[type];
      const tensors = rows.map((data, i) => [String(i), { dtype, shape: [data.length], data }] as const);
      await store.write(nameOf(example), writeSafetensors(Object.fromEntries(tensors)));
      written.set(example, type);
    },
    async clear() {
      for (const example of written.keys()) await store.remove(nameOf(example));
      written.clear();
    },
  };
}
