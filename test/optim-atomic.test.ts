// Optimisers check everything before the first write: a refused step has changed no array and no state.

import { describe, expect, it } from "vitest";
import { DpoError } from "../src/index.ts";
import { type AdamwState, adamw, adamwState, clipGradNorm, sgd, sgdState } from "../src/train.ts";

const ones = (n: number): Float32Array => new Float32Array(n).fill(1);
const detached = (n: number): Float32Array => {
  const array = ones(n);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
};

type State = { step: number };
const frozen: [string, (state: State) => State][] = [
  ["frozen", (state) => Object.freeze(state)],
  [
    "with a step that cannot be written",
    (state) => Object.defineProperty({ ...state }, "step", { value: 0, writable: false }),
  ],
  [
    "with a getter for its step",
    (state) =>
      ({
        ...state,
        get step() {
          return 0;
        },
      }) as State,
  ],
  [
    "with a setter that does nothing",
    (state) => Object.defineProperty({ ...state }, "step", { get: () => 0, set() {} }),
  ],
  [
    "with a setter that throws",
    (state) =>
      Object.defineProperty({ ...state }, "step", {
        get: () => 0,
        set() {
          throw new Error("no");
        },
      }),
  ],
];

describe.each(frozen)("a state %s", (_name, freeze) => {
  it.each([0, 0.9])("sgd, momentum %d", (momentum) => {
    const params = [ones(5), ones(3)];
    const state = freeze(sgdState(params)) as ReturnType<typeof sgdState>;
    expect(() => sgd(params, [ones(5), ones(3)], state, { momentum })).toThrow(DpoError);
    expect([...params, ...(state.momentumBuffer ?? [])]).toEqual([
      ones(5),
      ones(3),
      new Float32Array(5),
      new Float32Array(3),
    ]);
    expect(state.step).toBe(0);
  });

  it("adamw", () => {
    const params = [ones(5), ones(3)];
    const state = freeze(adamwState(params)) as AdamwState;
    expect(() => adamw(params, [ones(5), ones(3)], state)).toThrow(DpoError);
    expect([...params, ...state.m]).toEqual([ones(5), ones(3), new Float32Array(5), new Float32Array(3)]);
    expect(state.step).toBe(0);
  });
});

describe.each<[string, () => Float32Array[]]>([
  ["a detached one", () => [ones(5), detached(3)]],
  ["a hole", () => Object.assign(new Array(2), { 0: ones(5) })],
  ["a list that never ends", () => Object.assign(new Array(2 ** 32 - 1), { 0: ones(5) })],
  ["another kind", () => [ones(5), new Float64Array(3) as never]],
])("lists whose later arrays are bad: %s", (_name, make) => {
  it("sgd, adamw, clipGradNorm", () => {
    for (const call of [
      (params: Float32Array[], grads: Float32Array[]) => sgd(params, grads, { step: 0 }),
      (params: Float32Array[], grads: Float32Array[]) => adamw(params, grads, adamwState([ones(5), ones(3)])),
      (_: Float32Array[], grads: Float32Array[]) => clipGradNorm(grads, 1e-3),
    ]) {
      const [sound, bad] = [[ones(5), ones(3)], make()];
      expect(() => call(sound, bad)).toThrow(DpoError);
      expect(sound).toEqual([ones(5), ones(3)]);
      expect(bad[0]).toEqual(ones(5));
    }
  });
});

it("detached arrays on both sides are no arrays of length 0", () => {
  expect(() => sgd([ones(2), detached(3)], [ones(2), detached(3)], { step: 0 })).toThrow(DpoError);
  expect(() => clipGradNorm(detached(3), 1)).toThrow(DpoError);
});

it("hyperparameters are read once", () => {
  const params = ones(3);
  let reads = 0;
  const hyper = {
    get lr() {
      return reads++ === 0 ? 0.5 : Number.NaN;
    },
  };
  sgd(params, ones(3), { step: 0 }, hyper);
  expect(reads).toBe(1);
  expect(params).toEqual(ones(3).fill(0.5));
});

it.each([5, {}, "wasm"])("a backend that is none: %j", (backend) => {
  expect(() => adamwState(ones(3), backend as never)).toThrow(DpoError);
});
