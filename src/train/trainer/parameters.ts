// What is trained: the head, or an adapter of it, with the arrays of its gradients and of its optimiser.

import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { decodeFloats, type FloatData, lengthOf, readFloats } from "../../inputs/floats.ts";
import { arrayKind, kindOf, shown } from "../../messages.ts";
import type { AsyncBackend, Backend, Floats, Lora } from "../../types.ts";
import { adamw, adamwState } from "../adamw.ts";
import { clipGradNorm } from "../clip.ts";
import { sgd } from "../sgd.ts";
import type { Tensor } from "../tensors.ts";
import type { Recipe } from "./config.ts";
import { randomOf } from "./order.ts";
import type { TrainHead, TrainLora } from "./types.ts";

/** One array that is trained. */
export interface Parameter {
  readonly name: "weight" | "bias" | "a" | "b";
  readonly values: Tensor;
  readonly grad: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
  readonly shape: readonly number[];
}

export interface Parameters {
  readonly list: readonly Parameter[];
  /** The head in a call's batch. */
  readonly inputs: { readonly weight: Floats; readonly bias?: Floats | undefined; readonly lora?: Lora | undefined };
  /** The buffers for the gradients of a call. */
  readonly out: Readonly<Record<string, Tensor>>;
  /** Clips the gradients and takes a step after so many; returns their norm before. */
  update(lr: number, taken: number): number;
  /** Brings what was trained into the caller's arrays. */
  publish(): void;
  /** Gives shared memory back. */
  release(): void;
}

type AnyBackend = Backend | AsyncBackend;

/** The head's arrays, or those of its adapter, which `head` and `lora` bring or which are made here. */
export function openParameters(
  head: TrainHead,
  lora: TrainLora | undefined,
  recipe: Recipe,
  backend: AnyBackend,
): Parameters {
  const { vocab, hiddenSize, bias } = head;
  const weight = readFloats(head.weight, "head.weight", vocab * hiddenSize);
  if (bias !== undefined) readFloats(bias, "head.bias", vocab);
  const given = lora ? adapterOf(head, readLora(lora), recipe) : fullOf(head, weight);
  // Workers see arrays that are shared without a copy.
  const home = backend.name === "pool" ? backend : undefined;
  const arrayOf = (values: Tensor): Tensor => {
    if (!home) return values;
    const own = home.allocate("f32", values.length);
    own.set(values);
    return own;
  };
  const list = given.map(({ name, values, shape }): Parameter => {
    const { m, v } = adamwState(values);
    const grad = home ? home.allocate("f32", values.length) : new Float32Array(values.length);
    return { name, values: arrayOf(values), grad, m: m[0] as Tensor, v: v[0] as Tensor, shape };
  });
  const of = (name: Parameter["name"]) => list.find((parameter) => parameter.name === name);
  const [a, b] = [of("a"), of("b")];
  const inputs = lora
    ? {
        weight: head.weight,
        bias,
        lora: { a: a?.values, b: b?.values, rank: lora.rank, scale: lora.alpha / lora.rank } as Lora,
      }
    : { weight: of("weight")?.values as Tensor, bias: of("bias")?.values };
  return {
    list,
    inputs,
    out: Object.fromEntries(list.map(({ name, grad }) => [`grad${name[0]?.toUpperCase()}${name.slice(1)}`, grad])),
    update(lr, taken) {
      const { maxGradNorm } = recipe.train;
      // transformers: 0 is off.
      const norm = clipGradNorm(
        list.map(({ grad }) => grad),
        maxGradNorm > 0 ? maxGradNorm : Infinity,
      );
      for (const parameter of list) takeStep(parameter, taken, lr, recipe);
      return norm;
    },
    publish() {
      if (!home) return;
      list.forEach(({ values }, i) => {
        given[i]?.values.set(values);
      });
    },
    release() {
      for (const { values, grad } of list) for (const array of [values, grad]) home?.free(array);
    },
  };
}

function takeStep({ name, values, grad, m, v }: Parameter, step: number, lr: number, { train }: Recipe): void {
  const { optim, adamBeta1, adamBeta2, adamEpsilon: eps } = train;
  // transformers decays no bias.
  const weightDecay = name === "bias" ? 0 : train.weightDecay;
  if (optim === "sgd") sgd(values, grad, { step }, { lr, weightDecay });
  else adamw(values, grad, { step, m: [m], v: [v] }, { lr, weightDecay, betas: [adamBeta1, adamBeta2], eps });
}

type Given = Pick<Parameter, "name" | "values" | "shape">;

function fullOf({ weight, bias, vocab, hiddenSize }: TrainHead, bits: FloatData): Given[] {
  const full: Given[] = [{ name: "weight", values: masterOf(weight, bits), shape: [vocab, hiddenSize] }];
  if (bias === undefined) return full;
  return [...full, { name: "bias", values: masterOf(bias, readFloats(bias, "head.bias", vocab)), shape: [vocab] }];
}

/** The caller's float32 array, or the float32 copy of its halves. */
function masterOf(given: Floats, bits: FloatData): Tensor {
  if (arrayKind(given) === "Float32Array") return given as Tensor;
  const values = new Float32Array(lengthOf(given) as number);
  decodeFloats(bits, 0, values);
  return values;
}

function adapterOf({ vocab, hiddenSize }: TrainHead, lora: TrainLora, { train }: Recipe): Given[] {
  const { rank, seed = train.seed } = lora;
  const random = randomOf(seed, 0);
  const bound = 1 / Math.sqrt(hiddenSize);
  const a = lora.a ?? Float32Array.from({ length: rank * hiddenSize }, () => (2 * random() - 1) * bound);
  const b = lora.b ?? new Float32Array(vocab * rank);
  for (const [name, array, length] of [
    ["a", a, rank * hiddenSize],
    ["b", b, vocab * rank],
  ] as const) {
    if (arrayKind(array) !== "Float32Array")
      throw new KindError(`lora.${name}: expected a Float32Array, got ${kindOf(array)}`);
    if (array.length !== length) {
      throw new ShapeError("wrong-length", `lora.${name}: expected ${length} values, got ${array.length}`);
    }
  }
  return [
    { name: "a", values: a, shape: [rank, hiddenSize] },
    { name: "b", values: b, shape: [vocab, rank] },
  ];
}

function readLora(lora: TrainLora): TrainLora {
  const { rank, alpha, dropout = 0 } = lora;
  if (!(Number.isSafeInteger(rank) && rank > 0)) {
    throw new ParamError("out-of-range", `lora.rank: expected a positive integer, got ${shown(rank)}`);
  }
  if (typeof alpha !== "number" || !(alpha > 0 && alpha < Infinity)) {
    throw new ParamError("out-of-range", `lora.alpha: expected a number above 0, got ${shown(alpha)}`);
  }
  if (typeof dropout !== "number" || !(dropout >= 0 && dropout < 1)) {
    throw new ParamError("out-of-range", `lora.dropout: expected a number in [0, 1), got ${shown(dropout)}`);
  }
  return lora;
}
