// One tensor of a safetensors file, which may be larger than memory: the header and its bytes are all that is read.

import { stat } from "node:fs/promises";
import { DpoError } from "../../errors.ts";
import { arrayOver, bytesPerElement, isDtype, type SafeTensor } from "../../safetensors/dtypes.ts";
import { readHeader } from "../../safetensors/header.ts";
import { fileProblem, isSystemError, refusal } from "../refusal.ts";
import { readRange } from "../store/folder.ts";

/** The first tensor whose name `isIt`; undefined where there is none. Throws    a refusal that names the file */
export async function readTensor(
  path: string,
  isIt: (name: string) => boolean,
): Promise<(SafeTensor & { name: string }) | undefined> {
  try {
    const { size } = await stat(path);
    const start = await readRange(path, 0, Math.min(8, size));
    const length = start.length < 8 ? Infinity : Number(new DataView(start.buffer).getBigUint64(0, true));
    if (8 + length > size) throw refusal(`${path}: no safetensors file, or one that is cut off`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await readRange(path, 8, 8 + length));
    const found = [...readHeader(text).entries].find(([name]) => isIt(name));
    if (!found) return undefined;
    const [name, { dtype, shape, begin, end }] = found;
    const count = shape.reduce((product, n) => product * n, 1);
    if (!isDtype(dtype) || count * bytesPerElement(dtype) !== end - begin || 8 + length + end > size) {
      throw refusal(`${path}: ${name}: its type, shape and bytes do not agree`);
    }
    const bytes = await readRange(path, 8 + length + begin, 8 + length + end);
    return { name, dtype, shape, data: arrayOver(dtype, bytes) };
  } catch (error) {
    if (isSystemError(error)) throw fileProblem(path, error);
    if (error instanceof DpoError || error instanceof TypeError) throw refusal(`${path}: ${error.message}`);
    throw error;
  }
}
