// "Did you mean": the known names that an unknown one stands for. A wrong hint is worse than none, so a name has to be another
// spelling, a known synonym or a slip of the keyboard; names that merely look alike (ipo for dpo) are not offered.

/**
 * What names of this package and of TRL are called elsewhere. Each row: names, then other words for the same. A word gives those
 * names of its row that are known where it was written (TRL's keys, options, losses, arrays of a batch).
 */
export type Synonyms = readonly (readonly [names: string, others: string])[];

const none: Synonyms = [];

interface Known {
  readonly name: string;
  readonly plain: string;
  readonly words: readonly string[];
}

interface Vocabulary {
  readonly byPlain: ReadonlyMap<string, Known>;
  /** By first letter: slips hardly ever hit it, and a long list stays quick to search. */
  readonly byLetter: ReadonlyMap<string, readonly Known[]>;
}

/** Longer than any name, so not one of them misspelt. */
const MOST_LETTERS = 64;

const wordsOf = (name: string): readonly string[] =>
  name
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => word !== "");

const plainOf = (name: string): string => name.replace(/[^A-Za-z\d]+/g, "").toLowerCase();

const vocabularies = new WeakMap<readonly string[], Vocabulary>();

function vocabularyOf(names: readonly string[]): Vocabulary {
  const made = vocabularies.get(names);
  if (made) return made;
  const known = names.map((name) => ({ name, plain: plainOf(name), words: wordsOf(name) }));
  const byLetter = new Map<string, Known[]>();
  for (const one of known) {
    const letter = one.plain[0] ?? "";
    byLetter.set(letter, [...(byLetter.get(letter) ?? []), one]);
  }
  const vocabulary = { byPlain: new Map(known.map((one) => [one.plain, one])), byLetter };
  vocabularies.set(names, vocabulary);
  return vocabulary;
}

const meanings = new WeakMap<Synonyms, ReadonlyMap<string, readonly string[]>>();

/** Plain word -> the plain names that it may stand for. */
function meaningsOf(synonyms: Synonyms): ReadonlyMap<string, readonly string[]> {
  const known = meanings.get(synonyms);
  if (known) return known;
  const plain = (text: string): string[] =>
    text
      .split(" ")
      .map(plainOf)
      .filter((word) => word !== "");
  const made = new Map<string, string[]>();
  for (const [names, also] of synonyms) {
    for (const word of [...plain(names), ...plain(also)]) made.set(word, [...(made.get(word) ?? []), ...plain(names)]);
  }
  meanings.set(synonyms, made);
  return made;
}

function isPlural(a: string, b: string): boolean {
  const [one, many] = a.length < b.length ? [a, b] : [b, a];
  return one.length > 2 && many.length > one.length && (many === `${one}s` || many === `${one}es`);
}

/** Letters that two words have in common at their beginnings and at their ends. */
function common(a: string, b: string): readonly [atStart: number, atEnd: number] {
  const least = Math.min(a.length, b.length);
  let start = 0;
  while (start < least && a[start] === b[start]) start++;
  let end = 0;
  while (end < least - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  return [start, end];
}

// A quick look before the careful one.
function isClose(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  const [start, end] = common(a, b);
  return 3 * (start + end) >= b.length;
}

/** Where two words differ by one letter too many, too few or wrong, or by two letters in the wrong order. */
function slip(a: string, b: string): { readonly at: number; readonly swapped: boolean } | undefined {
  if (Math.abs(a.length - b.length) > 1) return undefined;
  const [at, same] = common(a, b);
  const [ours, theirs] = [a.length - same - at, b.length - same - at];
  const swapped = ours === 2 && theirs === 2 && a[at] === b[at + 1] && a[at + 1] === b[at];
  if (!swapped && (ours > 1 || theirs > 1)) return undefined;
  // adam_beta3 is neither adam_beta1 nor adam_beta2.
  const digit = /\d/.test(a.slice(at, at + ours) + b.slice(at, at + theirs));
  return digit ? undefined : { at, swapped };
}

// In a short word one letter makes another word (gpu, cpu; bco, nca); two letters in the wrong order do so less often.
const isLong = (word: string, swapped: boolean): boolean => word.length >= (swapped ? 4 : 5);

function isSlip(words: readonly string[], plain: string, known: Known): boolean {
  if (isPlural(plain, known.plain)) return true;
  if (words.length === known.words.length) {
    const different = words.filter((word, i) => word !== known.words[i]).length;
    return different <= 2 && words.every((word, i) => isSameWord(word, known.words[i] ?? ""));
  }
  const found = slip(plain, known.plain);
  if (!found) return false;
  let end = 0;
  const hit = known.words.find((word) => {
    end += word.length;
    return found.at < end;
  });
  return isLong(hit ?? known.words.at(-1) ?? "", found.swapped);
}

function isSameWord(a: string, b: string): boolean {
  if (a === b || isPlural(a, b)) return true;
  const found = slip(a, b);
  return found !== undefined && isLong(a.length < b.length ? a : b, found.swapped);
}

/**
 * The known names that an unknown one was probably meant to be: itself but for case and separators, those that the
 * synonyms give, or the one name that is a slip of the keyboard away. Empty where that is a guess.
 */
export function meantBy(word: string, names: readonly string[], synonyms = none): readonly string[] {
  if (word.length > MOST_LETTERS) return [];
  const { byPlain, byLetter } = vocabularyOf(names);
  const plain = plainOf(word);
  const same = byPlain.get(plain);
  if (same) return [same.name];
  const meant = (meaningsOf(synonyms).get(plain) ?? []).flatMap((name) => byPlain.get(name)?.name ?? []);
  if (meant.length > 0) return [...new Set(meant)];
  const close = (byLetter.get(plain[0] ?? "") ?? []).filter((known) => isClose(plain, known.plain));
  if (close.length === 0) return [];
  const words = wordsOf(word);
  const near = close.filter((known) => isSlip(words, plain, known));
  return near.length === 1 ? near.map(({ name }) => name) : [];
}

/** `did you mean a or b?`, or nothing at all; `lead` goes before it. */
export function didYouMean(
  word: string,
  names: readonly string[],
  {
    synonyms = none,
    lead = "; did you mean ",
    show = (name) => name,
  }: { synonyms?: Synonyms; lead?: string; show?: (name: string) => string } = {},
): string {
  const meant = meantBy(word, names, synonyms);
  return meant.length === 0 ? "" : `${lead}${meant.map(show).join(" or ")}?`;
}
