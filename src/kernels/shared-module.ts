// The modules are built for memories that are not shared; for one that is, a bit is all that differs.

/** The import "env" "memory", each behind its length: a memory (2) with a maximum, not shared (1; with both it is 3). */
const memoryImport = [3, 101, 110, 118, 6, 109, 101, 109, 111, 114, 121, 2, 1];

/** The same module for a memory that is shared; undefined for one that imports no memory of ours. */
export function forSharedMemory(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  // Not by `slice`: that of Node's Buffer copies nothing.
  const copy = Uint8Array.from(bytes);
  const at = copy.findIndex((_, i) => memoryImport.every((byte, j) => copy[i + j] === byte));
  if (at < 0) return undefined;
  copy[at + memoryImport.length - 1] = 3;
  return copy;
}
