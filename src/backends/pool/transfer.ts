// `transfer: true`: the caller gives the logits away, so their own buffer travels, and the gradient comes back in it.

import { bufferOf } from "../../checks/views.ts";
import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { type FloatData, lengthOf, readFloats } from "../../inputs/floats.ts";
import { arrayKind, kindOf } from "../../plan/plan.ts";
import type { LogitsBatch, LogitsLossOptions, LogitsLossResult } from "../../types.ts";
import { viewsIn } from "./held.ts";
import { isShared } from "./shared-memory.ts";

/** The array whose buffer is to move, if that was asked for, and the options of the call itself. */
export function givenAway<Options extends LogitsLossOptions>(
  batch: LogitsBatch,
  options: Options,
  hasGradient = false,
): { given: FloatData["data"] | undefined; rest: Options } {
  const { transfer } = options;
  if (transfer === undefined || transfer === false) return { given: undefined, rest: options };
  if (transfer !== true) throw new KindError(`transfer: expected true or false, got ${kindOf(transfer)}`);
  const { data, type } = readFloats(batch.logits, "logits", lengthOf(batch.logits) ?? 0);
  if (isShared(data.buffer) || data.byteLength !== data.buffer.byteLength) {
    throw new ParamError("unused-option", "transfer: expected logits that have a buffer of their own, not shared");
  }
  for (const { name, view } of [...viewsIn(batch, ""), ...viewsIn(options.out, "out")]) {
    if (name.split(".")[0] === "logits" || bufferOf(view) !== bufferOf(data)) continue;
    throw new ShapeError(
      "overlap",
      `transfer: expected logits that share their buffer with nothing, got ${name} in it`,
    );
  }
  const rest = {} as Options;
  for (const name in options) if (name !== "transfer") rest[name] = options[name];
  if (!hasGradient) return { given: data, rest };
  const inPlace = options.gradType !== "f32" || type === "f32";
  if (inPlace && options.out?.gradLogits) {
    throw new ParamError(
      "unused-option",
      "transfer: expected no out.gradLogits: the gradient comes back in the logits' buffer",
    );
  }
  return { given: data, rest: { ...rest, inPlace } };
}

/** The result with its gradient in the array that came back, in the wrapper that the logits came in. */
export function takeBack(result: LogitsLossResult, returned: FloatData["data"] | undefined): LogitsLossResult {
  if (!returned) return result;
  const { gradLogits } = result;
  if (arrayKind(gradLogits) === "Float32Array") return { ...result, gradLogits: returned as Float32Array };
  if (arrayKind(gradLogits) === "Float16Array") {
    return { ...result, gradLogits: new Float16Array(returned.buffer as ArrayBuffer) };
  }
  const bits = returned as Uint16Array;
  return { ...result, gradLogits: "f16" in gradLogits ? { f16: bits } : { bf16: bits } };
}
