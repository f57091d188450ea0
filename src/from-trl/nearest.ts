// "Did you mean": the known name that a misspelt one is nearest to.

/** The name within a typing error or two of `word`, case and underscores aside, so that camelCase is found as well. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.replace(/[_\- ]/g, "").toLowerCase();
  const target = plain(word);
  const reach = 1 + Math.floor(target.length / 8);
  let best: string | undefined;
  let least = reach + 1;
  for (const name of names) {
    const distance = edits(target, plain(name), least);
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn a into b; `most` once it cannot be fewer. */
function edits(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most) return most;
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const at = (cells: readonly number[], k: number): number => cells[k] ?? most;
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(at(previous, j) + 1, at(row, j - 1) + 1, at(previous, j - 1) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, at(twoBack, j - 2) + 1);
      row.push(cost);
    }
    [twoBack, previous] = [previous, row];
  }
  return previous[b.length] ?? most;
}
