// Gradients that go to buffers on the GPU: the caller's, or, where nothing is read back, new ones.

import { ParamError } from "../../errors.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import { asFloats, floatsToCome, isGpuArray } from "./device-arrays.ts";
import { type Fields, fieldsOf, type StoodIn } from "./device-inputs.ts";
import type { Outputs } from "./resident.ts";
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

/** The gradients that the result of a call may name. */
export const gradientNames = {
  sequenceLogps: [],
  logitsLoss: ["gradLogits"],
  linearLoss: ["gradHidden", "gradWeight", "gradBias", "gradA", "gradB"],
} as const;

export type TokenCall = keyof typeof gradientNames;

/** The options as every backend's checks know them, and the buffers by name. */
export interface GradientPlaces<O> {
  readonly options: O;
  readonly kept: Readonly<Record<string, GpuArray>>;
  /** Makes the new ones, once the call is known to be sound. */
  make(): void;
}

/** The gradients that a batch has: those of an adapter, or those of the head, which it freezes. */
function wanted(call: TokenCall, given: Fields): string[] {
  const frozen = given["lora"] === undefined ? ["gradA", "gradB"] : ["gradWeight", "gradBias"];
  const lora = fieldsOf(given["lora"]);
  const isThere = (input: string): boolean =>
    (input.startsWith("lora.") ? lora[input.slice(5)] : given[input]) !== undefined;
  return gradientNames[call].filter((name) => !frozen.includes(name) && isThere(inputs[name] as string));
}

/**
 * Finds the gradients' buffers; `outputs` makes those that the caller does not name.
 *
 * Throws    KindError, ShapeError, ParamError
 */
export function placeGradients<O>(
  call: TokenCall,
  given: object,
  options: Fields,
  { lengths }: Pick<StoodIn<unknown>, "lengths">,
  outputs?: Outputs,
): GradientPlaces<O> {
  const out: Record<string, unknown> = { ...fieldsOf(options["out"]) };
  const kept: Record<string, GpuArray> = {};
  const fills: (() => void)[] = [];
  for (const name of wanted(call, given as Fields)) {
    const input = inputs[name] as string;
    const over = name === "gradLogits" && options["inPlace"] === true;
    const length = lengths[input] as number;
    const place = over ? (given as Fields)[input] : out[name];
    // Nothing can be added to a new one: the checks refuse it.
    const adds = options["accumulate"] === true && name !== "gradHidden";
    if (isGpuArray(place)) {
      kept[name] = place;
      if (!over) out[name] = asFloats(place, `out.${name}`, length);
    } else if (outputs && place !== undefined) {
      throw new ParamError("unused-option", `${name}: expected a GPU buffer with readback false, got an array`);
    } else if (outputs && !adds) {
      const isWide = options["gradType"] === "f32" || input.startsWith("lora.");
      const type = isWide ? "f32" : typeOf((given as Fields)[input]);
      const { floats, fill } = floatsToCome(type, length, (bytes) => outputs.make(bytes).buffer);
      out[name] = floats;
      fills.push(fill);
    }
  }
  const make = (): void => {
    for (const fill of fills) fill();
  };
  return { options: (Object.keys(out).length > 0 ? { ...options, out } : options) as O, kept, make };
}

function typeOf(input: unknown): FloatType {
  if (isGpuArray(input)) return input.type ?? "f32";
  const fields = fieldsOf(input);
  if ("bf16" in fields) return "bf16";
  return "f16" in fields || fields["BYTES_PER_ELEMENT"] === 2 ? "f16" : "f32";
}

/** Where a gradient lies, as a result names it. */
export function rangeOfGradient({ data }: FloatData): GpuRange {
  const { buffer, byteOffset: offset, byteLength: size } = data;
  return { buffer: buffer as unknown as GPUBuffer, offset, size };
}
