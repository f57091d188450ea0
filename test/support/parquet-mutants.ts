// Damaged Parquet files: bytes changed, cut out, put in, moved; the same for the same number.

import type { ParquetFile } from "./parquet-files.ts";

/** A generator of numbers in [0, 1) (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Mutant {
  readonly file: ParquetFile;
  readonly how: string;
  readonly bytes: Uint8Array;
  /** The most columns whose values may differ and still be what the file says. */
  readonly columns: number;
}

/** The mutant of this number. */
export function mutantOf(files: readonly ParquetFile[], number: number): Mutant {
  const random = randomOf(number);
  const below = (n: number): number => Math.floor(random() * n);
  const file = files[below(files.length)] as ParquetFile;
  const whole = file.bytes;
  // Half of the damage is done to the footer, which is small beside the values, and says most.
  const place = (): number => (random() < 0.5 ? below(whole.length) : whole.length - 1 - below(whole.length >> 1));
  const changed = (count: number, byte: (old: number) => number): Uint8Array => {
    const bytes = whole.slice();
    for (let i = 0; i < count; i++) {
      const at = place();
      bytes[at] = byte(bytes[at] ?? 0);
    }
    return bytes;
  };
  const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
  const [from, to] = [place(), place()].sort((a, b) => a - b) as [number, number];
  const short = Math.min(to, from + 1 + below(16));
  const other = files[below(files.length)] as ParquetFile;
  const ways: readonly (readonly [how: string, columns: number, bytes: () => Uint8Array])[] = [
    ["a byte", 1, () => changed(1, () => below(256))],
    ["a bit", 1, () => changed(1, (old) => old ^ (1 << below(8)))],
    ["a byte up or down", 1, () => changed(1, (old) => old + (random() < 0.5 ? 1 : -1))],
    ["a byte to an extreme", 1, () => changed(1, () => [0, 0x7f, 0x80, 0xff][below(4)] as number)],
    ["several bytes", 8, () => changed(2 + below(7), () => below(256))],
    ["several bytes to an extreme", 8, () => changed(2 + below(7), () => [0, 0x7f, 0x80, 0xff][below(4)] as number)],
    ["cut off", 0, () => whole.slice(0, place())],
    ["bytes taken out", 8, () => joined(whole.subarray(0, from), whole.subarray(short))],
    ["bytes doubled", 8, () => joined(whole.subarray(0, short), whole.subarray(from))],
    [
      "a part overwritten",
      8,
      () => joined(whole.subarray(0, from), new Uint8Array(short - from).fill(below(256)), whole.subarray(short)),
    ],
    [
      "a part from elsewhere",
      8,
      () => {
        const bytes = whole.slice();
        const length = 1 + below(Math.min(64, whole.length - from));
        const source = other.bytes.subarray(below(other.bytes.length));
        bytes.set(source.subarray(0, Math.min(length, whole.length - from)), from);
        return bytes;
      },
    ],
    [
      "another file's end",
      8,
      () => joined(whole.subarray(0, from), other.bytes.subarray(Math.min(to, other.bytes.length))),
    ],
  ];
  const [how, columns, bytes] = ways[below(ways.length)] as (typeof ways)[number];
  return { file, how, bytes: bytes(), columns };
}
