// The reference of a training: a copy of the head, another one, or log-probs that the examples bring.

import { ParamError } from "../../errors.ts";
import { decodeFloats, readFloats } from "../../inputs/floats.ts";
import type { AsyncBackend, Backend, Floats } from "../../types.ts";
import type { Tensor } from "../tensors.ts";
import type { Recipe } from "./config.ts";
import type { ReferenceHead } from "./loss.ts";
import type { Parameters } from "./parameters.ts";
import type { TrainerOptions } from "./types.ts";

export interface TrainReference {
  readonly head: ReferenceHead;
  /** The arrays that change in the training: those that a reference in step with the policy has. */
  readonly moving: Readonly<Partial<Record<"weight" | "bias", Tensor>>>;
  /** TR-DPO: reference ← α·policy + (1 − α)·reference. */
  sync(alpha: number): void;
}

/** Throws    ParamError for what does not go together; KindError, ShapeError for a head that is none */
export function openReference(
  { head, lora, reference }: TrainerOptions,
  recipe: Recipe,
  parameters: Parameters,
  backend: Backend | AsyncBackend,
): TrainReference {
  const { sync, needsReference } = recipe;
  const isFixed = (given: ReferenceHead): TrainReference => ({ head: given, moving: {}, sync: () => undefined });
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
  readFloats(weight, reference ? "reference.weight" : "head.weight", lengths.weight);
  if (bias !== undefined) readFloats(bias, reference ? "reference.bias" : "head.bias", lengths.bias);
  // What is not trained needs no copy.
  if ((reference || lora) && !sync) return isFixed({ weight, bias });

  const copyOf = (floats: Floats, name: "weight" | "bias"): Tensor => {
    const copy = backend.name === "pool" ? backend.allocate("f32", lengths[name]) : new Float32Array(lengths[name]);
    decodeFloats(readFloats(floats, name, lengths[name]), 0, copy);
    return copy;
  };
  const copies = { weight: copyOf(weight, "weight"), ...(bias && { bias: copyOf(bias, "bias") }) };
  return {
    head: copies,
    moving: sync ? copies : {},
    sync(alpha) {
      for (const { name, values } of parameters.list) {
        const own = copies[name as "weight" | "bias"];
        if (own)
          for (let i = 0; i < own.length; i++)
            own[i] = alpha * (values[i] as number) + (1 - alpha) * (own[i] as number);
      }
    },
  };
}
