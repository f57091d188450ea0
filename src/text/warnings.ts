// What is worth saying of rows: once for each kind, with a count, after the last row.

import type { TextWarning, TextWarningKind } from "./types.ts";

const texts: Readonly<Record<TextWarningKind, string>> = {
  boundary:
    "the prompt's tokens are not those that prompt and completion begin with: tokens merge across the boundary, or the chat template shows the prompt alone in another way. The completion begins where they part, as in TRL",
  dropped: "the prompt alone fills maxLength, which leaves no token of a completion: dropped, as TRL does",
  empty: "a completion has no tokens: its log-prob is 0",
  same: "chosen and rejected have the same tokens: nothing to prefer",
  unended:
    "a completion lacks the end token: the chat template does not append it, and a model trained so does not learn to stop",
};

/** Collects rows by kind. */
export function collectWarnings() {
  const rows = new Map<TextWarningKind, number[]>();
  return {
    add(kind: TextWarningKind, row: number): void {
      const known = rows.get(kind);
      if (known) known.push(row);
      else rows.set(kind, [row]);
    },
    /** Tells them all, in the order of the table. */
    tell(total: number, onWarning: (warning: TextWarning) => void): void {
      for (const kind of Object.keys(texts) as TextWarningKind[]) {
        const found = rows.get(kind);
        if (!found) continue;
        const some = found.slice(0, 3).join(", ") + (found.length > 3 ? ", …" : "");
        const message = `${kind}: in ${found.length} of ${total} rows (${some}) ${texts[kind]}`;
        onWarning({ kind, count: found.length, rows: found, message });
      }
    },
  };
}
