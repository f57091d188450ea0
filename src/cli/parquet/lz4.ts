// Blocks of LZ4 without a frame, as Parquet's LZ4_RAW has them, and with Hadoop's, as its older LZ4 has. Node has no LZ4, and the
// decoders on npm do not say when a block holds less than it should.

/** The bytes of a block that unpacks to `size` of them. Throws if it does not. */
export function unpackLz4(block: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const output = new Uint8Array(size);
  let from = 0;
  let to = 0;
  const next = (): number => {
    const byte = block[from++];
    if (byte === undefined) throw damaged();
    return byte;
  };
  /** A length that begins with four bits and goes on in bytes while they are full. */
  const length = (bits: number): number => {
    let sum = bits;
    if (bits === 15) {
      let byte: number;
      do {
        byte = next();
        sum += byte;
      } while (byte === 255);
    }
    return sum;
  };
  for (;;) {
    const token = next();
    const literals = length(token >> 4);
    if (literals > block.length - from || literals > size - to) throw damaged();
    output.set(block.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === block.length) break; // the last sequence has no match
    const offset = next() + next() * 256;
    const match = length(token & 15) + 4;
    if (offset === 0 || offset > to || match > size - to) throw damaged();
    // A match may overlap what it writes.
    for (let end = to + match; to < end; to++) output[to] = output[to - offset] as number;
  }
  if (to !== size) throw damaged();
  return output;
}

/** Blocks with their two sizes before each, the greater byte first; some writers left the sizes out. */
export function unpackFramedLz4(bytes: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const output = new Uint8Array(size);
  let to = 0;
  for (let at = 0; at < bytes.length; ) {
    const [whole, packed] = bytes.length - at < 8 ? [0, 0] : [view.getUint32(at), view.getUint32(at + 4)];
    if (packed === 0 || packed > bytes.length - at - 8 || whole > size - to) return unpackLz4(bytes, size);
    output.set(unpackLz4(bytes.subarray(at + 8, at + 8 + packed), whole), to);
    [at, to] = [at + 8 + packed, to + whole];
  }
  if (to !== size) throw damaged();
  return output;
}

const damaged = (): Error => new Error("a page of LZ4 is damaged");
