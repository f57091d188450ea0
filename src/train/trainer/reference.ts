// The reference of a training: a copy of the head, another one, or log-probs that the examples bring.

import { ParamError } from "../../errors.ts";
import { decodeFloats, type FloatData, readFloats } from "../../inputs/floats.ts";
import type { Recipe } from "./config.ts";
import type { ReferenceHead } from "./loss.ts";
import type { Parameters } from "./parameters.ts";
import type { Place, Placed } from "./place.ts";
import type { TrainerOptions } from "./types.ts";

export interface TrainReference {
  readonly head: ReferenceHead;
  /** The arrays that change in the training: those that a reference in step with the policy has. */
  readonly moving: Readonly<Partial<Record<"weight" | "bias", Placed>>>;
  /** The numbers it begins with, as long as nothing is trained. */
  start(): readonly ArrayBufferView[];
  /** TR-DPO: reference ← α·policy + (1 − α)·reference. */
  sync(alpha: number): Promise<void>;
}

/** Throws    ParamError for what does not go together; KindError, ShapeError for a head that is none */
export function openReference(
  { head, lora, reference }: TrainerOptions,
  recipe: Recipe,
  parameters: Parameters,
  place: Place,
): TrainReference {
  const { sync, needsReference } = recipe;
  const isFixed = (head: ReferenceHead, start: readonly ArrayBufferView[] = []): TrainReference => ({
    head,
    moving: {},
    start: () => start,
    sync: async () => undefined,
  });
  if (sync && (lora || reference === "precomputed" || !needsReference)) {
    const why = lora
      ? "an adapter, whose head is frozen"
      : needsReference
        ? "one that is precomputed"
        : "losses without one";
    throw new ParamError("out-of-range", `config.sync_ref_model: expected with a reference of its own, got ${why}`);
  }
  if (!needsReference) return isFixed(undefined);
  if (reference === "precomputed") return isFixed(reference);
  const { vocab, hiddenSize } = head;
  const { weight, bias } = reference ?? head;
  const lengths = { weight: vocab * hiddenSize, bias: vocab };
  const read = {
    weight: readFloats(weight, reference ? "reference.weight" : "head.weight", lengths.weight),
    ...(bias && { bias: readFloats(bias, reference ? "reference.bias" : "head.bias", lengths.bias) }),
  };
  // What is not trained needs no copy.
  if ((reference || lora) && !sync) {
    const fixed = { weight: place.fixed(weight, lengths.weight), bias: bias && place.fixed(bias, lengths.bias) };
    return isFixed(
      fixed,
      Object.values(read).map(({ data }) => data),
    );
  }
  const copies = { weight: place.copy(read.weight), ...(read.bias && { bias: place.copy(read.bias) }) };
  return {
    head: copies,
    moving: sync ? copies : {},
    start: () => Object.values(read).map(decoded),
    async sync(alpha) {
      for (const { name, values } of parameters.list) {
        const own = copies[name as "weight" | "bias"];
        if (own) await place.mix(own, values, alpha);
      }
    },
  };
}

function decoded(floats: FloatData): Float32Array {
  if (floats.type === "f32") return floats.data as Float32Array;
  const values = new Float32Array(floats.data.length);
  decodeFloats(floats, 0, values);
  return values;
}
