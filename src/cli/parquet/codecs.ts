// A page's bytes without their compression.

import * as zlib from "node:zlib";
import { snappyUncompress } from "hyparquet";
import type { Chunk } from "./footer.ts";
import { unpackFramedLz4, unpackLz4 } from "./lz4.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

/** In a buffer of their own. Throws where they are not as many as `size`. */
export function unpack(packed: Bytes, size: number, codec: Chunk["codec"]): Bytes {
  const bytes = decompress(packed, size, codec);
  if (bytes.length !== size) throw new Error("a page is not as long as it says");
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function decompress(packed: Bytes, size: number, codec: Chunk["codec"]): Bytes {
  const limit = { maxOutputLength: Math.max(size, 1) };
  switch (codec) {
    case "UNCOMPRESSED":
      return packed;
    case "SNAPPY": {
      const page = new Uint8Array(size);
      snappyUncompress(packed, page);
      return page;
    }
    case "LZ4_RAW":
      return unpackLz4(packed, size);
    case "LZ4":
      return unpackFramedLz4(packed, size);
    case "GZIP":
      return zlib.gunzipSync(packed, limit);
    case "BROTLI":
      return zlib.brotliDecompressSync(packed, limit);
    case "ZSTD":
      if ("zstdDecompressSync" in zlib) return zlib.zstdDecompressSync(packed, limit);
      throw new Error("Zstandard needs Node 22.15 or newer");
    default:
      throw new Error(`compressed with ${codec ?? "an unknown codec"}, which is not read here`);
  }
}

/** Few writers give one; Node has the function since 20.15. */
export function checkCrc(packed: Bytes, crc: number | undefined): void {
  if (crc === undefined || !("crc32" in zlib)) return;
  if (zlib.crc32(packed) !== crc >>> 0) throw new Error("a page's checksum is wrong");
}
