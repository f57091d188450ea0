// Thrift's compact protocol, only walked over: hyparquet's own reader trusts every length and number of bytes it meets.

/** Structures nest a few levels deep in Parquet. */
const deepest = 24;

/** Where the structure that begins at `start` ends. Throws where it claims more than the bytes hold. */
export function endOfStruct(bytes: Uint8Array, start: number, depth = 0): number {
  let at = start;
  for (;;) {
    const byte = byteAt(bytes, at++);
    const type = byte & 0x0f;
    if (type === 0) return at;
    if (byte >> 4 === 0) at = endOfVarint(bytes, at, 5);
    at = endOfElement(bytes, at, type, depth);
  }
}

function endOfElement(bytes: Uint8Array, at: number, type: number, depth: number): number {
  if (depth > deepest) throw new Error("structures nest too deep");
  switch (type) {
    case 1: // true
    case 2: // false
      return at;
    case 3: // byte
      return skip(bytes, at, 1);
    case 4: // i16
    case 5: // i32
      return endOfVarint(bytes, at, 5);
    case 6: // i64
      return endOfVarint(bytes, at, 10);
    case 7: // double
      return skip(bytes, at, 8);
    case 8: {
      const [length, next] = readVarint(bytes, at); // binary
      return skip(bytes, next, length);
    }
    case 9: // list
      return endOfList(bytes, at, depth);
    case 12: // struct
      return endOfStruct(bytes, at, depth + 1);
    default:
      throw new Error("a field of unknown type");
  }
}

function endOfList(bytes: Uint8Array, start: number, depth: number): number {
  const byte = byteAt(bytes, start);
  const type = byte & 0x0f;
  let [size, at] = [byte >> 4, start + 1];
  if (size === 15) [size, at] = readVarint(bytes, at);
  // Every element takes a byte at least.
  if (size > bytes.length - at) throw new Error("a list is longer than the data");
  for (let i = 0; i < size; i++) {
    at = type === 1 || type === 2 ? skip(bytes, at, 1) : endOfElement(bytes, at, type, depth + 1);
  }
  return at;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Error("a structure ends too early");
  return byte;
}

function skip(bytes: Uint8Array, at: number, length: number): number {
  if (length > bytes.length - at) throw new Error("a field is longer than the data");
  return at + length;
}

function endOfVarint(bytes: Uint8Array, start: number, longest: number): number {
  let at = start;
  while (byteAt(bytes, at++) & 0x80) if (at - start >= longest) throw new Error("a number is too long");
  return at;
}

/** An unsigned number of up to 32 bits and where it ends. */
export function readVarint(bytes: Uint8Array, start: number): [value: number, end: number] {
  const end = endOfVarint(bytes, start, 5);
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = value * 128 + (byteAt(bytes, at) & 0x7f);
  if (value > 0xffffffff) throw new Error("a number is too large");
  return [value, end];
}
