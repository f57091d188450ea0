// Gradients that go to buffers on the GPU: the caller's, or, where nothing is read back, new ones.

import { ParamError } from "../errors.ts";
import type { FloatData, FloatType } from "../floats.ts";
import { bytesOf } from "./floats.wgsl.ts";
import { asFloats, isGpuArray } from "./given.ts";
import { align } from "./pool.ts";
import type { Outputs } from "./resident.ts";
import { type Fields, fieldsOf, type StoodIn } from "./stand-in.ts";
import type { GpuArray, GpuRange } from "./types.ts";

/** What each is the gradient of. */
const inputs: Readonly<Record<string, string>> = {
  gradLogits: "logits",
  gradHidden: "hidden",
  gradWeight: "weight",
  gradBias: "bias",
  gradA: "lora.a",
  gradB: "lora.b",
};

/** The options as every backend's checks know them, and the buffers by name. */
export interface GradientPlaces<O> {
  readonly options: O;
  readonly kept: Readonly<Record<string, GpuArray>>;
}

/** The gradients that a batch has: those of an adapter, or those of the head, which it freezes. */
function wanted(given: Fields): string[] {
  const frozen = given["lora"] === undefined ? ["gradA", "gradB"] : ["gradWeight", "gradBias"];
  const lora = fieldsOf(given["lora"]);
  const isThere = (input: string): boolean =>
    (input.startsWith("lora.") ? lora[input.slice(5)] : given[input]) !== undefined;
  return Object.keys(inputs).filter((name) => !frozen.includes(name) && isThere(inputs[name] as string));
}

/**
 * Finds the gradients' buffers; `outputs` makes those that the caller does not name.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function placeGradients<O>(
  given: object,
  options: Fields,
  { lengths }: Pick<StoodIn<unknown>, "lengths">,
  outputs?: Outputs,
): GradientPlaces<O> {
  const out: Record<string, unknown> = { ...fieldsOf(options["out"]) };
  const kept: Record<string, GpuArray> = {};
  for (const name of wanted(given as Fields)) {
    const input = inputs[name] as string;
    const over = name === "gradLogits" && options["inPlace"] === true;
    const length = lengths[input] as number;
    let place = over ? (given as Fields)[input] : out[name];
    // Nothing can be added to a new one: the checks refuse it.
    const adds = options["accumulate"] === true && name !== "gradHidden";
    if (outputs && place === undefined && !adds) {
      const type =
        options["gradType"] === "f32" || input.startsWith("lora.") ? "f32" : typeOf((given as Fields)[input]);
      place = { ...outputs.make(align(length * bytesOf(type))), type };
    }
    if (!isGpuArray(place)) {
      if (!outputs || place === undefined) continue;
      throw new ParamError("unused-option", `${name}: expected a GPU buffer with readback false, got an array`);
    }
    kept[name] = place;
    if (!over) out[name] = asFloats(place, `out.${name}`, length);
  }
  return { options: (Object.keys(kept).length > 0 ? { ...options, out } : options) as O, kept };
}

function typeOf(input: unknown): FloatType {
  if (isGpuArray(input)) return input.type ?? "f32";
  const fields = input as Fields;
  if ("bf16" in fields) return "bf16";
  return "f16" in fields || fields["BYTES_PER_ELEMENT"] === 2 ? "f16" : "f32";
}

/** Where a gradient lies, as a result names it. */
export function rangeOfGradient({ data }: FloatData): GpuRange {
  const { buffer, byteOffset: offset, byteLength: size } = data;
  return { buffer: buffer as unknown as GPUBuffer, offset, size };
}
