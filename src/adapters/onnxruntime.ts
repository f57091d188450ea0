// onnxruntime-web, onnxruntime-node, transformers.js: what a session returns, as `logitsLoss` takes it. Nothing is copied.

import { isList } from "../checks/lists.ts";
import { DpoError, KindError, ShapeError } from "../errors.ts";
import { arrayKind, kindOf } from "../messages.ts";
import type { Floats, Ids, Mask, SequenceTokens, Tokens } from "../types.ts";
import { readDims, typeText, vocabOf } from "./batch.ts";

/** What is read of an `ort.Tensor`. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly location: string;
  readonly data: unknown;
}

// Older versions, and engines without Float16Array, hold float16 as bits.
const floatKinds = { float32: ["Float32Array"], float16: ["Float16Array", "Uint16Array"] };
const idKinds = { int64: ["BigInt64Array"], int32: ["Int32Array"] };
const maskKinds = { ...idKinds, uint8: ["Uint8Array"], bool: ["Uint8Array"] };

/**
 * Logits of a session, to be spread into a batch of `sequenceLogps` or `logitsLoss`, or given as its `reference`.
 *
 * Shapes    padded tokens: [2B, T, V] or [2B·T, V], of rows [rows, T, V] or [rows·T, V]; packed tokens: [N, V] or [1, N, V]
 * Returns   vocab, the last dimension; logits, the tensor's own array: `inPlace` writes into the tensor
 * Throws    ShapeError if the dimensions are not those of the tokens; KindError unless float32 or float16 on the CPU
 * @example  const { logits } = await session.run({ input_ids });
 *           const batch = { tokens, ...ortLogits(logits, tokens), reference: { logps } };
 *           const { loss, gradLogits } = wasm.logitsLoss(batch, { beta: 0.1, inPlace: true });
 */
export function ortLogits(tensor: OrtTensor, tokens: SequenceTokens): { vocab: number; logits: Floats } {
  const { data, dims } = readTensor(tensor, "logits", floatKinds);
  const vocab = vocabOf(dims, tokens);
  return { vocab, logits: arrayKind(data) === "Uint16Array" ? { f16: data as Uint16Array } : (data as Floats) };
}

/**
 * Padded tokens from the tensors that a session is fed with.
 *
 * Shapes    inputIds, completionMask: [2B, T], the B chosen rows first; int64 or int32, the mask also uint8 or bool
 * Throws    ShapeError, KindError
 * @example  const tokens = ortTokens(input_ids, completion_mask);
 */
export function ortTokens(inputIds: OrtTensor, completionMask: OrtTensor): Tokens {
  const ids = readTensor(inputIds, "inputIds", idKinds);
  const mask = readTensor(completionMask, "completionMask", maskKinds);
  const [rows = 0, length = 0, ...more] = ids.dims;
  if (more.length > 0 || length < 1 || rows < 2 || rows % 2 === 1) {
    throw new ShapeError("wrong-length", `inputIds: expected [2B, T], got [${ids.dims.join(", ")}]`);
  }
  if (`${mask.dims}` !== `${ids.dims}`) {
    const [expected, got] = [ids, mask].map(({ dims }) => dims.join(", "));
    throw new ShapeError("wrong-length", `completionMask: expected [${expected}] as inputIds, got [${got}]`);
  }
  return { pairs: rows / 2, length, inputIds: ids.data as Ids, completionMask: mask.data as Mask };
}

// Every field once; asking a tensor elsewhere, or one that was disposed of, for its data throws.
function readTensor(
  tensor: OrtTensor,
  name: string,
  kinds: Record<string, readonly string[]>,
): { dims: readonly number[]; data: unknown } {
  try {
    return fieldsOf(tensor, name, kinds);
  } catch (cause) {
    if (cause instanceof DpoError) throw cause;
    throw new KindError(`${name}: expected a tensor that can be read, got one that throws`, { cause });
  }
}

function fieldsOf(tensor: OrtTensor, name: string, kinds: Record<string, readonly string[]>) {
  if (typeof tensor !== "object" || tensor === null || !isList(tensor.dims)) {
    throw new KindError(`${name}: expected an ort.Tensor, got ${kindOf(tensor)}`);
  }
  const { type, location } = tensor;
  if (typeof type !== "string" || !Object.hasOwn(kinds, type)) {
    throw new KindError(`${name}: expected a tensor of ${Object.keys(kinds).join(", ")}, got ${typeText(type)}`);
  }
  if (location !== undefined && location !== "cpu" && location !== "cpu-pinned") {
    const hint = location === "none" ? "a disposed one" : `one at "${typeText(location)}": await its getData() first`;
    throw new KindError(`${name}: expected a tensor on the CPU, got ${hint}`);
  }
  const dims = readDims(tensor.dims, name);
  const { data } = tensor;
  if (kinds[type]?.includes(arrayKind(data))) return { dims, data };
  throw new KindError(`${name}: expected ${kinds[type]?.join(" or ")} in a tensor of ${type}, got ${kindOf(data)}`);
}
