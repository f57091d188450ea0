// Some of a file's cases for an engine that has its WGSL compiler from another one, in which all of them run.

/**
 * The names that stand for all of these: each has a word that none before it has. So each loss, option, type and size that a case is
 * named after is there once, in whatever order the names are given.
 */
export function sampleOf(names: readonly string[]): Set<string> {
  const words = new Set<string>();
  const isNews = (name: string): boolean => {
    const before = words.size;
    for (const word of name.match(/[\p{L}\p{N}_.]+/gu) ?? []) words.add(word);
    return words.size > before;
  };
  return new Set([...names].sort().filter(isNews));
}
