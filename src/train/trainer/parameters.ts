// What is trained: the head, or an adapter of it, where its backend computes, and the caller's arrays that it is brought into.

import { KindError, ParamError, ShapeError } from "../../errors.ts";
import { decodeFloats, type FloatData, lengthOf, readFloats } from "../../inputs/floats.ts";
import { arrayKind, kindOf, shown } from "../../messages.ts";
import type { Floats } from "../../types.ts";
import type { Tensor } from "../tensors.ts";
import type { Recipe } from "./config.ts";
import { randomOf } from "./order.ts";
import type { Place, Placed, Trained } from "./place.ts";
import type { Trainer, TrainHead, TrainLora } from "./types.ts";

/** One array that is trained. */
export interface Parameter extends Trained {
  /** What the caller has of it. */
  readonly host: Tensor;
  readonly shape: readonly number[];
}

/** The head in a call's batch. */
interface HeadInputs {
  readonly weight: Placed;
  readonly bias?: Placed | undefined;
  readonly lora?: { readonly a: Placed; readonly b: Placed; readonly rank: number; readonly scale: number } | undefined;
}

export interface Parameters {
  readonly list: readonly Parameter[];
  readonly inputs: HeadInputs;
  /** The same head in the caller's arrays. */
  readonly head: Trainer["head"];
  /** The buffers for the gradients of a call. */
  readonly out: Readonly<Record<string, Placed>>;
  /** Clips the gradients and takes a step after so many; resolves to their norm before. */
  update(lr: number, taken: number): Promise<number>;
  /** Brings what was trained into the caller's arrays, if it is not there yet. */
  bring(): Promise<void>;
  /** Puts these numbers in place of what is trained, by the names of its arrays. */
  put(numbers: Readonly<Record<string, Tensor>>): void;
}

/** The head's arrays, or those of its adapter, which `head` and `lora` bring or which are made here. */
export function openParameters(
  head: TrainHead,
  lora: TrainLora | undefined,
  { train }: Recipe,
  place: Place,
): Parameters {
  const { vocab, hiddenSize, bias } = head;
  const weight = readFloats(head.weight, "head.weight", vocab * hiddenSize);
  if (bias !== undefined) readFloats(bias, "head.bias", vocab);
  const given = lora ? adapterOf(head, readLora(lora), train.seed) : fullOf(head, weight);
  const list = given.map(({ name, host, shape }): Parameter => ({ ...place.trained(name, host, train), host, shape }));
  const headOf = <T>(of: (parameter: Parameter) => T, frozen: (floats: Floats, length: number) => T) => {
    const find = (name: Parameter["name"]): T | undefined => {
      const found = list.find((parameter) => parameter.name === name);
      return found && of(found);
    };
    if (!lora) return { weight: find("weight") as T, bias: find("bias") };
    return {
      weight: frozen(head.weight, vocab * hiddenSize),
      bias: bias && frozen(bias, vocab),
      lora: { a: find("a") as T, b: find("b") as T, rank: lora.rank, scale: lora.alpha / lora.rank },
    };
  };
  let isStale = false;
  async function bring(): Promise<void> {
    if (!isStale) return;
    for (const { values, host } of list) await place.read(values, host);
    isStale = false;
  }
  return {
    list,
    inputs: headOf(({ values }) => values, place.fixed),
    head: headOf<Floats>(
      ({ host }) => host,
      (floats) => floats,
    ) as Trainer["head"],
    out: Object.fromEntries(list.map(({ name, grad }) => [`grad${name[0]?.toUpperCase()}${name.slice(1)}`, grad])),
    async update(lr, taken) {
      const norm = await place.update(list, lr, taken, train);
      isStale = true;
      if (place.isHere) await bring();
      return norm;
    },
    bring,
    put(numbers) {
      for (const { name, values, host } of list) {
        const own = numbers[name];
        if (!own) continue;
        place.write(values, own);
        host.set(own);
      }
    },
  };
}

type Given = Pick<Parameter, "name" | "host" | "shape">;

function fullOf({ weight, bias, vocab, hiddenSize }: TrainHead, bits: FloatData): Given[] {
  const full: Given[] = [{ name: "weight", host: masterOf(weight, bits), shape: [vocab, hiddenSize] }];
  if (bias === undefined) return full;
  return [...full, { name: "bias", host: masterOf(bias, readFloats(bias, "head.bias", vocab)), shape: [vocab] }];
}

/** The caller's float32 array, or the float32 copy of its halves. */
function masterOf(given: Floats, bits: FloatData): Tensor {
  if (arrayKind(given) === "Float32Array") return given as Tensor;
  const values = new Float32Array(lengthOf(given) as number);
  decodeFloats(bits, 0, values);
  return values;
}

function adapterOf({ vocab, hiddenSize }: TrainHead, lora: TrainLora, bySeed: number): Given[] {
  const { rank, seed = bySeed } = lora;
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
    { name: "a", host: a, shape: [rank, hiddenSize] },
    { name: "b", host: b, shape: [vocab, rank] },
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
