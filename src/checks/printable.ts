// Text of the user's own in messages: errors and warnings end up in terminals, logs and pages.

const MOST = 60;

// A terminal's colours and titles, then whatever has no shape of its own: controls, marks of direction, zero widths, halves
// of surrogate pairs, ends of lines and paragraphs.
const unseen = /\p{Cc}\[[\d;:<=>?]*[ -/]*[@-~]|[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

const plain = /^[\w .,:;+/-]*$/;

/** The text on one line, without control characters (each becomes U+FFFD), cut to 60 characters. */
export function printable(text: string): string {
  if (text.length <= MOST && plain.test(text)) return text;
  const start = text.slice(0, 4 * MOST).replace(unseen, "\ufffd");
  const characters = Array.from(start);
  return characters.length <= MOST && text.length <= 4 * MOST ? start : `${characters.slice(0, MOST - 1).join("")}…`;
}

/** The same in quotes, as JSON writes them. */
export const quoted = (text: string): string => JSON.stringify(printable(text));
