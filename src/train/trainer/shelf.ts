// Hidden states in a store, for those that memory has no room for. What this training has put there is trusted, and nothing else: a
// store may hold what another model gave. A store that fails costs time: what it does not keep is computed anew, to the same bits.

import type { FloatData, FloatType } from "../../inputs/floats.ts";
import { reasonIn } from "../../messages.ts";
import { readSafetensors } from "../../safetensors/read.ts";
import { writeSafetensors } from "../../safetensors/write.ts";
import type { Example } from "./examples.ts";
import type { Shelf, States } from "./states.ts";
import type { Store } from "./types.ts";

/** A shelf, and how it is cleared. `name` tells those of one store apart; `warn` hears of the first failure to write. */
export function openShelf(
  store: Store,
  name: string,
  warn: (text: string) => void,
): Shelf & { clear(): Promise<void> } {
  const written = new Map<Example, FloatType>();
  let isFull = false;
  const nameOf = ({ index }: Example): string => `${name}-${index}.safetensors`;
  return {
    async read(example) {
      const type = written.get(example);
      try {
        const file = type && (await store.read(nameOf(example)));
        if (!file) return undefined;
        const { tensors } = readSafetensors(file);
        return { type, rows: example.rows.map((_, i) => tensors[i]?.data as FloatData["data"]) };
      } catch {
        // Damaged since, or out of reach: it is computed anew.
        return undefined;
      }
    },
    async write(example, { type, rows }: States) {
      if (isFull) return;
      const dtype = ({ f32: "F32", f16: "F16", bf16: "BF16" } as const)[type];
      const tensors = rows.map((data, i) => [String(i), { dtype, shape: [data.length], data }] as const);
      try {
        await store.write(nameOf(example), writeSafetensors(Object.fromEntries(tensors)));
        written.set(example, type);
      } catch (error) {
        isFull = true;
        warn(`cache.store: not written, what it lacks is computed anew in each epoch: ${reasonIn(error)}`);
      }
    },
    async clear() {
      for (const example of written.keys()) await store.remove(nameOf(example));
      written.clear();
    },
  };
}
