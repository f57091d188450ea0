// Where the arrays of a training lie, and what is done to them there: in this thread's memory, in memory that workers see too, or on
// a GPU. The training itself does not know.

import type { GpuArray } from "../../backends/webgpu/types.ts";
import type { FloatData, FloatType } from "../../inputs/floats.ts";
import type { Floats } from "../../types.ts";
import type { AdamwHyper } from "../adamw.ts";
import type { Tensor } from "../tensors.ts";
import type { Recipe } from "./config.ts";

/** Floats where they lie, as calls of the backend take them: an array here, a part of a buffer there. */
export type Placed = Floats | GpuArray;

/** An array that is trained, with its gradient and what its optimiser keeps; all float32. */
export interface Trained<P = Placed> {
  readonly name: "weight" | "bias" | "a" | "b";
  readonly values: P;
  readonly grad: P;
  /** AdamW's running means; SGD keeps nothing. */
  readonly means: { readonly m: P; readonly v: P } | undefined;
}

type Train = Recipe["train"];

/** P is how an array of float32 lies there. */
export interface Place<P = Placed> {
  /** Whether reading costs nothing, so that what is trained can be brought into the caller's arrays at each step. */
  readonly isHere: boolean;
  /** What is trained, from these values on: they themselves, or a copy of them. */
  trained(name: Trained["name"], values: Tensor, train: Train): Trained<P>;
  /** A float32 copy. */
  copy(floats: FloatData): P;
  /** What is only read, in its own type. */
  fixed(floats: Floats, length: number): Placed;
  /** An array of this thread's under a name, used again where it is large enough, that calls read at the least cost. */
  scratch(name: string, type: FloatType, length: number): FloatData["data"];
  /** Clips the gradients together and takes a step after `taken`; their norm before. */
  update(list: readonly Trained<P>[], lr: number, taken: number, train: Train): number | Promise<number>;
  /** to ← share·from + (1 − share)·to */
  mix(to: P, from: P, share: number): void | Promise<void>;
  /** The numbers as they are now: in `into` where it is given, else in an array that is only read. */
  read(from: P, into?: Tensor): Tensor | Promise<Tensor>;
  write(to: P, values: Tensor): void;
  /** Throws    BackendError if what lies there is lost */
  check(): void;
  /** Throws    BackendError if there was no room for what was put there */
  ready(): void | Promise<void>;
  release(): void;
}

/** transformers decays no bias, and its 0 for the norm is off. */
export function stepOf(
  name: Trained["name"],
  lr: number,
  { weightDecay, adamBeta1, adamBeta2, adamEpsilon: eps }: Train,
): { sgd: { lr: number; weightDecay: number }; adamw: AdamwHyper } {
  const sgd = { lr, weightDecay: name === "bias" ? 0 : weightDecay };
  return { sgd, adamw: { ...sgd, betas: [adamBeta1, adamBeta2], eps } };
}

export const mostNormOf = ({ maxGradNorm }: Train): number => (maxGradNorm > 0 ? maxGradNorm : Infinity);
