// One leaf's values in their order, each with its two levels; pages are read when they are needed.

import type { Page } from "./pages.ts";

export interface Cursor {
  /** Whether all values of the next row are in memory. */
  isReady(): boolean;
  /** Brings the next page. Throws where there is none, and where a page does not begin a row that it should. */
  load(): Promise<void>;
  /** The definition level of the next value. */
  definition(): number;
  /** Its repetition level: 0 where it begins a row, and at the end. */
  repetition(): number;
  /** Whether a row has been left in its midst, or there are more values after the last one. */
  isWithin(): boolean;
  isLeft(): boolean;
  /** Goes on to the value after it. Gives the value, null where it is not there. */
  take(): unknown;
}

/** A cursor over the pages of a leaf whose values have up to `deepest` definitions; `isNested` where a row may have several of them. */
export function cursorOver(pages: AsyncIterator<Page>, deepest: number, isNested: boolean): Cursor {
  let page: Page = { count: 0, values: [], definitions: undefined, repetitions: undefined };
  /** Places in the page, of the levels and of the values that are there. */
  let [at, of] = [0, 0];
  /** Before this place all rows are complete. */
  let end = 0;
  let isLast = false;

  return {
    isReady: () => at < end,
    async load() {
      const next = await pages.next();
      if (next.done) {
        if (isLast || at === page.count) throw new Error("it has fewer rows than promised");
        isLast = true;
        end = page.count;
        return;
      }
      page = at === page.count ? next.value : joined(page, at, of, next.value);
      if (page.repetitions && page.repetitions[0] !== 0) throw new Error("a row begins in its midst");
      [at, of] = [0, 0];
      // The last row may go on in the next page.
      end = isNested ? (page.repetitions as Uint8Array).lastIndexOf(0) : page.count;
    },
    definition: () => (page.definitions ? (page.definitions[at] as number) : deepest),
    repetition: () => (at < page.count && page.repetitions ? (page.repetitions[at] as number) : 0),
    isWithin: () => at < page.count && page.repetitions !== undefined && page.repetitions[at] !== 0,
    isLeft: () => at < page.count || (isNested && !isLast),
    take() {
      if (at === page.count) throw new Error("a row is longer than its page");
      const isThere = page.definitions === undefined || page.definitions[at] === deepest;
      at++;
      return isThere ? page.values[of++] : null;
    },
  };
}

/** What is left of a page, and the next one. */
function joined(page: Page, at: number, of: number, next: Page): Page {
  const levels = (a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined => {
    if (!a || !b) return undefined;
    const both = new Uint8Array(a.length - at + b.length);
    both.set(a.subarray(at));
    both.set(b, a.length - at);
    return both;
  };
  return {
    count: page.count - at + next.count,
    values: [...Array.from(page.values).slice(of), ...Array.from(next.values)],
    definitions: levels(page.definitions, next.definitions),
    repetitions: levels(page.repetitions, next.repetitions),
  };
}
