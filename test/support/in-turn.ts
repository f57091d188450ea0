// Fewer calls on a GPU in software, where each takes milliseconds: of two things that have nothing to do with each other, as a loss and
// a layout, each of one meets some of the other there instead of all. Elsewhere all of them meet.

/** On WebGPU every `of`-th item, from the one whose turn it is; elsewhere all of them. */
export const inTurn = <T>(kind: string, items: readonly T[], turn: number, of: number): T[] =>
  items.filter((_, i) => kind !== "webgpu" || i % of === turn % of);
