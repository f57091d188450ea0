// The arrays of a training in memory of this thread, or in memory that workers see too: they get no copy of it then.

import { isShared as isSharedBuffer } from "../../backends/pool/shared-memory.ts";
import { arrayTypes } from "../../inputs/element-types.ts";
import { decodeFloats, type FloatData, type FloatType } from "../../inputs/floats.ts";
import { memoryOf } from "../../kernels/memories.ts";
import type { AsyncBackend, Backend, Floats } from "../../types.ts";
import { type AdamwState, adamw, adamwState } from "../adamw.ts";
import { clipGradNorm } from "../clip.ts";
import { sgd } from "../sgd.ts";
import type { Tensor } from "../tensors.ts";
import { mostNormOf, type Place, stepOf } from "./place.ts";

export const asFloats = ({ type, data }: FloatData): Floats => (type === "f32" ? data : { [type]: data }) as Floats;

/** Parameters whose optimiser's state lies in a pool's memory beside them: 2 of its 4 GB, the rest being for hidden states and workers. */
const MOST_IN_PLACE = 2 ** 27;

export function openHostPlace(backend: Backend | AsyncBackend): Place<Tensor> {
  const isShared = backend.name === "pool";
  const owned: FloatData["data"][] = [];
  const scratches = new Map<string, FloatData["data"]>();

  function make(type: FloatType, length: number): FloatData["data"] {
    if (!isShared) return new arrayTypes[type](length);
    const array = backend.allocate(type, length);
    owned.push(array);
    return array;
  }

  /** In the memory of weight and gradient, where there is room for it: the optimiser copies nothing then. */
  function stateFor(values: Tensor): AdamwState {
    if (isShared && values.length <= MOST_IN_PLACE && memoryOf(values.buffer)) {
      try {
        const { m, v } = adamwState(values, backend);
        owned.push(...(m as Float32Array[]), ...(v as Float32Array[]));
        return { step: 0, m, v };
      } catch {
        // There is no room: in memory of their own.
      }
    }
    return adamwState(values);
  }

  function scratch(name: string, type: FloatType, length: number): FloatData["data"] {
    const key = `${name} ${type}`;
    let array = scratches.get(key);
    if (!array || array.length < length) {
      if (array && isShared) {
        backend.free(array);
        owned.splice(owned.indexOf(array), 1);
      }
      array = make(type, Math.ceil(1.25 * length));
      scratches.set(key, array);
    }
    return array.subarray(0, length);
  }

  return {
    isHere: true,
    trained(name, given, { optim }) {
      const isThere = !isShared || isSharedBuffer(given.buffer);
      const values = isThere ? given : (make("f32", given.length) as Tensor);
      if (!isThere) values.set(given);
      const grad = make("f32", given.length) as Tensor;
      if (optim === "sgd") return { name, values, grad, means: undefined };
      const { m, v } = stateFor(values);
      return { name, values, grad, means: { m: m[0] as Tensor, v: v[0] as Tensor } };
    },
    copy(floats) {
      const copy = make("f32", floats.data.length) as Tensor;
      decodeFloats(floats, 0, copy as Float32Array);
      return copy;
    },
    fixed: (floats) => floats,
    scratch,
    update(list, lr, taken, train) {
      const norm = clipGradNorm(
        list.map(({ grad }) => grad),
        mostNormOf(train),
      );
      for (const { name, values, grad, means } of list) {
        const step = stepOf(name, lr, train);
        if (means) adamw(values, grad, { step: taken, m: [means.m], v: [means.v] }, step.adamw);
        else sgd(values, grad, { step: taken }, step.sgd);
      }
      return norm;
    },
    mix(to, from, share) {
      for (let i = 0; i < to.length; i++) to[i] = share * (from[i] as number) + (1 - share) * (to[i] as number);
    },
    read(from, into) {
      if (into && into !== from) into.set(from);
      return into ?? from;
    },
    write(to, values) {
      to.set(values);
    },
    check() {},
    ready() {},
    release() {
      if (isShared) for (const array of owned.splice(0)) backend.free(array);
      scratches.clear();
    },
  };
}
