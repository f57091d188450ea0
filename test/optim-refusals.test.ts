// What the optimisers refuse: class, code and message, and that nothing was written.

import { describe, expect, it } from "vitest";
import { createWasm, DpoError, KindError, ParamError, ShapeError } from "../src/index.ts";
import {
  type AdamwState,
  adamw,
  adamwState,
  clipGradNorm,
  lrSchedule,
  type SgdState,
  sgd,
  sgdState,
} from "../src/train.ts";

const ones = (n: number): Float32Array => new Float32Array(n).fill(1);

/** Arguments that every call accepts, in one place so that a refused call can be seen to have changed none of them. */
function sound() {
  const params = [ones(5), ones(3)];
  return { params, grads: [ones(5), ones(3)], adamw: adamwState(params), sgd: sgdState(params) };
}

type Sound = ReturnType<typeof sound>;

interface Refusal {
  what: string;
  call(given: Sound): unknown;
  error: typeof ShapeError | typeof ParamError | typeof KindError;
  code: string;
  message: RegExp;
}

const shape = (code: "wrong-length" | "overlap") => ({ error: ShapeError, code });
const range = { error: ParamError, code: "out-of-range" };
const kind = { error: KindError, code: "wrong-kind" };

const memory = ones(20);

const arrays: Refusal[] = [
  {
    what: "gradients of another length",
    call: ({ params, ...given }) => adamw(params, [ones(5), ones(4)], given.adamw),
    ...shape("wrong-length"),
    message: /^grads\[1\]: expected 3 values \(params\), got 4$/,
  },
  {
    what: "fewer gradients than parameters",
    call: ({ params, ...given }) => sgd(params, [ones(5)], given.sgd),
    ...shape("wrong-length"),
    message: /^grads: expected 2 arrays \(params\), got 1$/,
  },
  {
    what: "the state of other parameters",
    call: ({ params, grads }) => adamw(params, grads, adamwState([ones(5), ones(4)])),
    ...shape("wrong-length"),
    message: /^state\.m\[1\]: expected 3 values \(params\), got 4$/,
  },
  {
    what: "a momentum buffer of other parameters",
    call: ({ params, grads }) => sgd(params, grads, sgdState(ones(5)), { momentum: 0.9 }),
    ...shape("wrong-length"),
    message: /^state\.momentumBuffer: expected 2 arrays \(params\), got 1$/,
  },
  {
    what: "float64 parameters",
    call: ({ grads, ...given }) => adamw(new Float64Array(5) as never, grads, given.adamw),
    ...kind,
    message: /^params: expected a Float32Array or a list of them, got a Float64Array$/,
  },
  {
    what: "a plain list of numbers for an array",
    call: ({ params, ...given }) => adamw(params, [[1, 2, 3, 4, 5], ones(3)] as never, given.adamw),
    ...kind,
    message: /^grads\[0\]: expected a Float32Array, got a plain array$/,
  },
  {
    what: "gradients that are the parameters",
    call: ({ params, ...given }) => adamw(params, params, given.adamw),
    ...shape("overlap"),
    message: /^grads\[0\]: expected memory of its own, got that of params\[0\]$/,
  },
  {
    what: "gradients that share an element with parameters",
    call: ({ sgd: state }) => sgd(memory.subarray(4, 9), memory.subarray(0, 5), { ...state }),
    ...shape("overlap"),
    message: /^params: expected memory of its own, got that of grads$/,
  },
  {
    what: "one array for both running means",
    call: ({ params, grads }) => adamw(params, grads, { ...twice(params), step: 0 }),
    ...shape("overlap"),
    message: /^state\.v\[0\]: expected memory of its own, got that of state\.m\[0\]$/,
  },
  {
    what: "a parameter that is listed twice",
    call: ({ params: [first = ones(5)], grads: [grad = ones(5)] }) => sgd([first, first], [grad, ones(5)], { step: 0 }),
    ...shape("overlap"),
    message: /^params\[1\]: expected memory of its own, got that of params\[0\]$/,
  },
  {
    what: "gradients to clip that are listed twice",
    call: ({ grads: [grad = ones(5)] }) => clipGradNorm([grad, grad], 0.1),
    ...shape("overlap"),
    message: /^grads\[1\]: expected memory of its own, got that of grads\[0\]$/,
  },
  {
    what: "gradients to clip of another kind",
    call: () => clipGradNorm(null as never, 1),
    ...kind,
    message: /^grads: expected a Float32Array or a list of them, got null$/,
  },
];

function twice(params: Float32Array[]): Pick<AdamwState, "m" | "v"> {
  const m = params.map(({ length }) => new Float32Array(length));
  return { m, v: m };
}

const adamwHypers: [hyper: object, refusal: Pick<Refusal, "error" | "code">, message: RegExp][] = [
  [{ lr: -1 }, range, /^lr: expected a number in \[0, ∞\), got -1$/],
  [{ lr: Infinity }, range, /^lr: .* got Infinity$/],
  [{ eps: Number.NaN }, range, /^eps: .* got NaN$/],
  [{ weightDecay: "0.1" }, kind, /^weightDecay: expected a number, got a string$/],
  [{ betas: [0.9, 1] }, range, /^betas\[1\]: expected a number in \[0, 1\), got 1$/],
  [{ betas: [-0.1, 0.9] }, range, /^betas\[0\]: expected a number in \[0, 1\), got -0\.1$/],
  [{ betas: 0.9 }, kind, /^betas: expected two numbers, got a number$/],
  [{ betas: [0.9] }, kind, /^betas: expected two numbers, got a plain array$/],
  [{ betas: [0.9, undefined] }, kind, /^betas\[1\]: expected a number, got null$/],
  [{ momentum: 0.9 }, { error: ParamError, code: "unknown-option" }, /^momentum: not a hyperparameter; known: lr, /],
];

const sgdHypers: typeof adamwHypers = [
  [{ momentum: -0.5 }, range, /^momentum: expected a number in \[0, ∞\), got -0\.5$/],
  [{ nesterov: true }, range, /^nesterov: expected with momentum above 0 and dampening 0$/],
  [{ nesterov: true, momentum: 0.9, dampening: 0.1 }, range, /^nesterov: /],
  [{ nesterov: 1, momentum: 0.9 }, kind, /^nesterov: expected true or false, got a number$/],
  [{ betas: [0, 0] }, { error: ParamError, code: "unknown-option" }, /^betas: not a hyperparameter; known: lr, /],
];

const rest: Refusal[] = [
  ...adamwHypers.map(([hyper, refusal, message]) => ({
    what: `adamw with ${JSON.stringify(hyper)}`,
    call: ({ params, grads, ...given }: Sound) => adamw(params, grads, given.adamw, hyper),
    ...refusal,
    message,
  })),
  ...sgdHypers.map(([hyper, refusal, message]) => ({
    what: `sgd with ${JSON.stringify(hyper)}`,
    call: ({ params, grads, ...given }: Sound) => sgd(params, grads, given.sgd, hyper),
    ...refusal,
    message,
  })),
  ...[-1, 0.5, Number.NaN].map((step) => ({
    what: `a state at step ${step}`,
    call: ({ params, grads, ...given }: Sound) => adamw(params, grads, { ...given.adamw, step }),
    ...range,
    message: new RegExp(`^state\\.step: expected a count of steps, got ${step}$`),
  })),
  {
    what: "no state",
    call: ({ params, grads }) => adamw(params, grads, undefined as never),
    ...kind,
    message: /^state: expected an object, got undefined$/,
  },
  {
    what: "momentum without a buffer",
    call: ({ params, grads }) => sgd(params, grads, { step: 0 }, { momentum: 0.9 }),
    error: ParamError,
    code: "missing-input",
    message: /^state\.momentumBuffer: expected with momentum, got none$/,
  },
  ...[0, -1, Number.NaN].map((maxNorm) => ({
    what: `clipping at ${maxNorm}`,
    call: ({ grads }: Sound) => clipGradNorm(grads, maxNorm),
    ...range,
    message: new RegExp(`^maxNorm: expected a number above 0, got ${maxNorm}$`),
  })),
  {
    what: "clipping at nothing",
    call: ({ grads }) => clipGradNorm(grads, undefined as never),
    ...kind,
    message: /^maxNorm: expected a number, got undefined$/,
  },
  {
    what: "an unknown schedule",
    call: () => lrSchedule(10, { lrSchedulerType: "greedy" }),
    ...range,
    message: /^lrSchedulerType: expected one of linear, cosine, .*, constant_with_warmup, constant, got "greedy"$/,
  },
  {
    what: "arguments of a schedule",
    call: () => lrSchedule(10, { lrSchedulerType: "linear", lrSchedulerKwargs: { num_cycles: 0.5 } }),
    error: ParamError,
    code: "unused-option",
    message: /^lrSchedulerKwargs\.num_cycles: not used by linear$/,
  },
  {
    what: "other arguments of a schedule",
    call: () => lrSchedule(10, { lrSchedulerType: "cosine", lrSchedulerKwargs: { min_lr: 0 } }),
    error: ParamError,
    code: "unused-option",
    message: /^lrSchedulerKwargs\.min_lr: not used by cosine$/,
  },
  {
    what: "half a number of cycles",
    call: () => lrSchedule(10, { lrSchedulerType: "cosine", lrSchedulerKwargs: { num_cycles: "0.5" } }),
    ...kind,
    message: /^lrSchedulerKwargs\.num_cycles: expected a number, got a string$/,
  },
  {
    what: "a schedule of another enumeration",
    call: () => lrSchedule(10, { lrSchedulerType: "OptimizerNames.COSINE" }),
    ...range,
    message: /^lrSchedulerType: expected one of linear, cosine, .*, got "OptimizerNames.COSINE"$/,
  },
  ...[-1, -1e-9, Number.NaN, Infinity].map((step) => ({
    what: `the rate of step ${step}`,
    call: () => lrSchedule(10, { warmupSteps: 2 })(step),
    ...range,
    message: /^step: expected a number in \[0, ∞\), got /,
  })),
  ...[undefined, null, "3", 3n].map((step) => ({
    what: `the rate of step ${step} (${typeof step})`,
    call: () => lrSchedule(10)(step as never),
    ...kind,
    message: /^step: expected a number, got /,
  })),
];

const copyOf = ({ params, grads, adamw, sgd }: Sound) => structuredClone({ params, grads, adamw, sgd });

describe("refused, and nothing written", () => {
  it.each([...arrays, ...rest])("$what", ({ call, error, code, message }) => {
    const given = sound();
    const before = copyOf(given);
    let thrown: unknown;
    try {
      call(given);
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(error);
    expect(thrown).toBeInstanceOf(DpoError);
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(copyOf(given)).toEqual(before);
  });
});

describe("accepted", () => {
  it("one array of gradients for several parameters: it is only read", () => {
    const grads = ones(3);
    const params = [ones(3), ones(3)];
    sgd(params, [grads, grads], { step: 0 }, { lr: 1 });
    expect(params).toEqual([new Float32Array(3), new Float32Array(3)]);
  });

  it("neighbours in one buffer, and empty arrays anywhere in it", () => {
    const all = ones(9);
    const [first, second, third] = [all.subarray(0, 3), all.subarray(3, 6), all.subarray(6)];
    const state: SgdState = { step: 1, momentumBuffer: [third, new Float32Array(all.buffer, 8, 0)] };
    sgd([first, all.subarray(1, 1)], [second, all.subarray(2, 2)], state, { momentum: 0.5, lr: 1 });
    expect([...all]).toEqual([-0.5, -0.5, -0.5, 1, 1, 1, 1.5, 1.5, 1.5]);
  });

  it("no parameters at all", () => {
    const state = adamwState([]);
    adamw([], [], state);
    expect(state.step).toBe(1);
    expect(clipGradNorm([], 1)).toBe(0);
  });
});

it("a backend without room for the whole state keeps all it has", async () => {
  const wasm = await createWasm({ reserve: 600_000 });
  expect(() => adamwState(ones(100_000), wasm)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
  expect(wasm.allocate("f32", 140_000).length).toBe(140_000);
});
