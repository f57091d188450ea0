// llama2.c's tokenizer: byte-pair encoding by the scores of the pieces.

export interface Tokenizer {
  encode(text: string): number[];
  decode(ids: readonly number[]): string;
}

/** Ids of the first and the last token of a text. */
export const start = 1;
export const end = 2;

// Unknown, start, end; the 256 bytes; the pieces, of one character or several.
const firstByte = 3;
const firstPiece = firstByte + 256;

export function readTokenizer(file: Uint8Array): Tokenizer {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const texts: string[] = [];
  const scores: number[] = [];
  for (let at = 4; at < file.length; ) {
    const next = at + 8 + view.getInt32(at + 4, true);
    scores.push(view.getFloat32(at, true));
    texts.push(new TextDecoder().decode(file.subarray(at + 8, next)));
    at = next;
  }
  const ids = new Map(texts.map((text, id) => [text, id]));
  const key = (left: number, right: number): number => left * texts.length + right;
  const joined = new Map<number, number>();
  for (const [text, id] of ids) {
    for (let cut = 1; cut < text.length; cut++) {
      const left = ids.get(text.slice(0, cut));
      const right = ids.get(text.slice(cut));
      if (left !== undefined && right !== undefined) joined.set(key(left, right), id);
    }
  }

  // Best score first, leftmost among equals.
  function merge(tokens: number[]): number[] {
    for (;;) {
      let best = { at: -1, id: -1, score: -Infinity };
      for (let at = 0; at + 1 < tokens.length; at++) {
        const id = joined.get(key(tokens[at] as number, tokens[at + 1] as number)) ?? -1;
        const score = scores[id] ?? -Infinity;
        if (score > best.score) best = { at, id, score };
      }
      if (best.at < 0) return tokens;
      tokens.splice(best.at, 2, best.id);
    }
  }

  const bytesOf = (text: string): number[] => Array.from(new TextEncoder().encode(text));
  return {
    encode: (text) =>
      merge([...text].flatMap((character) => ids.get(character) ?? bytesOf(character).map((byte) => firstByte + byte))),
    decode: (tokens) => {
      const bytes = tokens.flatMap((id) => (id < firstPiece ? id - firstByte : bytesOf(texts[id] ?? "")));
      return new TextDecoder().decode(Uint8Array.from(bytes.filter((byte) => byte >= 0)));
    },
  };
}
