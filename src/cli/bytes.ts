// The bytes of a file or of standard input, unpacked if they are compressed; known by how they begin, not by their name.

import { pipeline, Readable } from "node:stream";
import * as zlib from "node:zlib";
import { refusal } from "./refusal.ts";

export type Bytes = AsyncIterable<Buffer>;

/** The first bytes of a stream, at least `count` if it has so many, and all of it. */
export async function peek(input: Bytes, count: number): Promise<{ head: Buffer; all: Bytes }> {
  const chunks = input[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let ended = false;
  while (head.length < count && !ended) {
    const { value, done } = await chunks.next();
    if (done) ended = true;
    else head = Buffer.concat([head, value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    if (!ended) yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { head, all: all() };
}

export const beginsWith = (head: Uint8Array, ...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);

const gzip = [0x1f, 0x8b];
const zstandard = [0x28, 0xb5, 0x2f, 0xfd];
const utf16le = [0xff, 0xfe];
const utf16be = [0xfe, 0xff];

/** Whether what begins so is text as `unpacked` gives it: neither packed nor in UTF-16. */
export const isUnpacked = (head: Uint8Array): boolean =>
  ![gzip, zstandard, utf16le, utf16be].some((bytes) => beginsWith(head, ...bytes));

/** All of a stream. */
export async function collect(input: Bytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Text in UTF-8, whatever the packing; text in UTF-16 with a byte order mark is rewritten. */
export async function* unpacked(name: string, input: Bytes): AsyncGenerator<Buffer> {
  const { head, all } = await peek(input, 4);
  if (beginsWith(head, ...gzip)) yield* toUtf8(name, through(all, zlib.createGunzip()));
  else if (beginsWith(head, ...zstandard)) yield* toUtf8(name, through(all, zstd(name)));
  else yield* toUtf8(name, all);
}

function zstd(name: string): NodeJS.ReadWriteStream & Readable {
  if ("createZstdDecompress" in zlib) return zlib.createZstdDecompress();
  throw refusal(`${name}: Zstandard needs Node 22.15 or newer`);
}

// An error of the input ends the unpacking stream with the same error: there is nothing to add in the callback.
const through = (input: Bytes, unpack: NodeJS.ReadWriteStream & Readable): Bytes => {
  pipeline(Readable.from(input), unpack, () => {});
  return unpack;
};

/** What PowerShell and Windows editors write begins with a byte order mark, and may be UTF-16. */
async function* toUtf8(name: string, input: Bytes): AsyncGenerator<Buffer> {
  const { head, all } = await peek(input, 3);
  const encoding = beginsWith(head, ...utf16le) ? "utf-16le" : beginsWith(head, ...utf16be) ? "utf-16be" : undefined;
  if (encoding === undefined) {
    yield* all;
    return;
  }
  const decoder = new TextDecoder(encoding, { fatal: true });
  const decode = (chunk?: Buffer): Buffer => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream: chunk !== undefined }));
    } catch {
      throw refusal(`${name}: begins as ${encoding.toUpperCase()}, but is not`);
    }
  };
  for await (const chunk of all) yield decode(chunk);
  yield decode();
}
