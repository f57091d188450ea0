// Garbage between turns.

/** What engines show as `gc`. */
export type Gc = (options?: { readonly type: "minor" }) => void;

/**
 * Frees what the last turns have left. V8 looks at young objects alone when it is asked to: arrays of the last turn are, and a
 * collection of everything takes 10 ms or more each time, which were two fifths of all time. Other engines take no options.
 */
export const collector = (gc: Gc) => (): void => gc({ type: "minor" });
