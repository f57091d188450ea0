// What the compressed integers of a page claim, checked against its bytes: hyparquet's decoders trust it, and would write
// billions of values for a run of that length.

import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readVarint } from "./thrift.ts";

/** hyparquet gathers bits in 32-bit integers, a byte at a time. */
const widest = 24;

/** Writers fill up the last group of a run, or the run. */
const mostPadding = 512;

/**
 * Checks a run-length and bit-packed hybrid of `count` values of `width` bits in `bytes`.
 *
 * Returns   for a width of 1, how many of the values are 1
 */
export function checkRuns(bytes: Uint8Array, width: number, count: number): number {
  if (width > widest) throw new Error(`values of ${width} bits are too wide`);
  let ones = 0;
  let seen = 0;
  let at = 0;
  while (seen < count) {
    const [header, next] = readVarint(bytes, at);
    at = next;
    const left = count - seen;
    if (header & 1) {
      const groups = header >>> 1;
      const values = Math.min(groups * 8, left);
      if (groups === 0 || groups * 8 - values >= mostPadding) throw new Error("a run is longer than the page");
      need(bytes, at, Math.ceil((values * width) / 8));
      if (width === 1) ones += onesIn(bytes, at, values);
      at += groups * width;
      seen += values;
    } else {
      const run = header >>> 1;
      if (run > left) throw new Error("a run is longer than the page");
      const size = (width + 7) >> 3;
      need(bytes, at, size);
      let value = 0;
      for (let i = 0; i < size; i++) value += (bytes[at + i] ?? 0) * 256 ** i;
      if (value >= 2 ** width) throw new Error("a value is too large for its width");
      if (width === 1 && value === 1) ones += run;
      at += size;
      seen += run;
    }
  }
  return ones;
}

function onesIn(bytes: Uint8Array, start: number, bits: number): number {
  let ones = 0;
  for (let i = 0; i < bits; i++) ones += ((bytes[start + (i >> 3)] ?? 0) >> (i & 7)) & 1;
  return ones;
}

/** Checks DELTA_BINARY_PACKED integers of up to `bits` bits, and gives the place where they end. */
export function checkDelta(bytes: Uint8Array, count: number, bits: number): number {
  let at = 0;
  const next = (): number => {
    const [value, end] = readVarint(bytes, at);
    at = end;
    return value;
  };
  const skipNumber = (): void => {
    let length = 1;
    while ((bytes[at++] ?? 0) & 0x80) if (++length > 10) throw new Error("a number is too long");
    need(bytes, at, 0);
  };
  const block = next();
  const miniblocks = next();
  const size = block / miniblocks;
  if (block === 0 || block % 128 !== 0 || size % 32 !== 0) throw new Error("blocks of an impossible size");
  if (next() !== count) throw new Error("the number of values is not that of the page");
  skipNumber(); // the first value
  for (let seen = 1; seen < count; ) {
    skipNumber(); // the least difference
    const widths = at;
    at += miniblocks;
    need(bytes, at, 0);
    for (let i = 0; i < miniblocks && seen < count; i++) {
      const width = bytes[widths + i] ?? 0;
      if (width > bits) throw new Error(`differences of ${width} bits are too wide`);
      need(bytes, at, Math.ceil((Math.min(size, count - seen) * width) / 8));
      at += (size * width) / 8;
      seen += size;
    }
  }
  return at;
}

/** Checks DELTA_BYTE_ARRAY texts, each a beginning of the one before it and a rest; together `most` bytes at most. */
export function checkDeltaTexts(bytes: Uint8Array, count: number, most: number): void {
  const [shared, start] = readDelta(bytes, count);
  const [rests, end] = readDelta(bytes.subarray(start), count);
  let left = bytes.length - start - end;
  let length = 0;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const [beginning, rest] = [shared[i] ?? 0, rests[i] ?? 0];
    if (beginning < 0 || beginning > length || rest < 0 || rest > left) throw new Error("a text of impossible length");
    left -= rest;
    length = beginning + rest;
    sum += length;
    if (sum > most) throw new Error(`texts of more than ${most / 2 ** 20} MiB in a page`);
  }
}

function readDelta(bytes: Uint8Array, count: number): [values: Int32Array, end: number] {
  const end = checkDelta(bytes, count, 32);
  const values = new Int32Array(count);
  deltaBinaryUnpack({ view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 }, count, values);
  return [values, end];
}

function need(bytes: Uint8Array, at: number, length: number): void {
  if (at + length > bytes.length) throw new Error("a page ends too early");
}
