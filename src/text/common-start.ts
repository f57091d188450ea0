// The prompt that a data set leaves out: what chosen and rejected begin with in common, found as TRL's extract_prompt finds it.

import type { Message } from "./types.ts";

interface Split<T> {
  readonly prompt: T;
  readonly completions: readonly [chosen: T, rejected: T];
}

/**
 * Of texts: the common beginning, less one space at its end, which begins the completions. Where one of them is the beginning of
 * the other, its last character is left to the completions.
 */
export function commonText(chosen: string, rejected: string): Split<string> {
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && chosen[end] === rejected[end]) end++;
  // Characters of two halves, as most emoji are, are not cut.
  const halves = (at: number): number => (at > 0 && /[\ud800-\udbff]/.test(chosen[at - 1] as string) ? 1 : 0);
  const isWhole = end === shorter;
  if (isWhole) end = Math.max(0, end - 1);
  end -= halves(end);
  if (!isWhole && chosen[end - 1] === " ") end--;
  return {
    prompt: chosen.slice(0, end),
    completions: [chosen.slice(end), rejected.slice(end)],
  };
}

/** Of conversations: the common messages. Where one is the beginning of the other, its last message is left to the completions. */
export function commonMessages(chosen: readonly Message[], rejected: readonly Message[]): Split<readonly Message[]> {
  const shorter = Math.min(chosen.length, rejected.length);
  let end = 0;
  while (end < shorter && isSame(chosen[end], rejected[end])) end++;
  if (end === shorter) end = Math.max(0, end - 1);
  return { prompt: chosen.slice(0, end), completions: [chosen.slice(end), rejected.slice(end)] };
}

// Columns of nested data hold null where a row has no such field.
function isSame(a: unknown, b: unknown): boolean {
  if (a === b || ((a ?? null) === null && (b ?? null) === null)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => isSame((a as Message)[name], (b as Message)[name]));
}
