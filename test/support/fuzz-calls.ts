// The public calls, with arguments that they accept: what hostile calls are made from.

import { jaxLogitsLoss } from "../../src/adapters/jax.ts";
import { ortLogits, ortTokens } from "../../src/adapters/onnxruntime.ts";
import { tfLogitsLoss } from "../../src/adapters/tfjs.ts";
import {
  collate,
  createBackend,
  createJs,
  createRunningMean,
  createWasm,
  defineLoss,
  fromTrl,
} from "../../src/index.ts";
import type { RunningMean } from "../../src/plan/running-mean.ts";
import { createPool } from "../../src/pool.ts";
import { adamw, adamwState, clipGradNorm, lrSchedule, sgd, sgdState } from "../../src/train.ts";
import type { AsyncBackend, Backend } from "../../src/types.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import type { SoundCall } from "./fuzz.ts";
import { randomLinear } from "./linear.ts";
import { asBigInts, layouts, randomLogits } from "./logits.ts";
import { randomPairs } from "./pairs.ts";
import { asRows, randomRows } from "./rows.ts";

type AnyBackend = Backend | AsyncBackend;

const nothing = (): readonly string[] => [];
/** `out`, and the logits where the gradient goes over them. */
const outs = ([, options]: readonly unknown[]): readonly string[] => {
  try {
    // A getter is not asked: what it says next is for the call.
    const { value, get } = Object.getOwnPropertyDescriptor(options, "inPlace") ?? {};
    return value || get ? ["1.out", "0.logits"] : ["1.out"];
  } catch {
    return ["1.out"];
  }
};

const B = 4;
const pairs = () => ({ ...randomPairs(B, 3), pairWeights: Float32Array.of(1, 0.5, 0, 2) });
const floats = (n: number) => new Float32Array(n);

const pairBuffers = () => ({
  ...{ losses: floats(B), gradChosen: floats(B), gradRejected: floats(B) },
  ...{ chosenRewards: floats(B), rejectedRewards: floats(B) },
});

const shape = { pairs: 2, length: 4, vocab: 5, seed: 11 };
const positions = 2 * shape.pairs * shape.length;

const logpBuffers = (rows = positions) => ({
  ...{ logps: new Float64Array(2 * shape.pairs), tokenLogps: floats(rows), logsumexp: new Float64Array(rows) },
});
const lossBuffers = (rows = positions) => ({
  ...logpBuffers(rows),
  ...{ losses: floats(2), gradChosen: floats(2), gradRejected: floats(2) },
});

const packed = () => layouts.packed(randomLogits(shape)).batch;
const halfBits = (n: number, seed: number) => Uint16Array.from({ length: n }, (_, i) => 0x3c00 + ((i * seed) % 512));

const own = defineLoss({
  id: "fuzzed",
  title: "a loss of the user's",
  params: { beta: { default: 0.1, min: 0, max: 10 }, knob: { default: 1, min: 0, max: 2 } },
  margin: (d: number, beta = 0, knob = 0) => [knob * (beta * d) ** 2, 2 * knob * beta * beta * d],
});

/** The calls of a backend. */
export function backendCalls(backend: AnyBackend, ownLosses: boolean): readonly SoundCall[] {
  const of =
    (name: "pairLoss" | "unpairedLoss" | "sequenceLogps" | "logitsLoss" | "linearLoss") =>
    (title: string, make: () => unknown[], state?: SoundCall["state"]): SoundCall => ({
      name: `${name}, ${title}`,
      make,
      run: (args) => (backend[name] as (...args: readonly never[]) => unknown)(...args),
      writes: outs,
      ...(state && { state }),
    });
  const [pairLoss, unpairedLoss, sequenceLogps, logitsLoss, linearLoss] = [
    of("pairLoss"),
    of("unpairedLoss"),
    of("sequenceLogps"),
    of("logitsLoss"),
    of("linearLoss"),
  ];
  const countOf = ([, options]: readonly unknown[]) => {
    const { rewardShift } = options as { rewardShift: RunningMean };
    return () => rewardShift.count;
  };
  const calls: SoundCall[] = [
    pairLoss("in and out", () => [
      pairs(),
      {
        ...{ lossType: ["sigmoid", "ipo"], lossWeights: [0.7, 0.3], beta: 0.2, labelSmoothing: 0.1, gradScale: 2 },
        ...{ metrics: "full", validate: "finite", referenceFree: false, out: pairBuffers() },
      },
    ]),
    pairLoss(
      "a running mean",
      () => {
        const mean = createRunningMean({ mean: 0.5, count: 2 });
        return [pairs(), { lossType: "bco_pair", rewardShift: mean, signal: new AbortController().signal }];
      },
      countOf,
    ),
    pairLoss("float64, divergences", () => {
      const { policyChosen, policyRejected, referenceChosen, referenceRejected } = pairs();
      const wide = [policyChosen, policyRejected].map((array) => Float64Array.from(array));
      const batch = { policyChosen: wide[0], policyRejected: wide[1], referenceChosen, referenceRejected };
      return [batch, { lossType: "robust", fDivergence: "alpha_divergence", fAlpha: 0.7 }];
    }),
    pairLoss("sft and aot", () => {
      const { pairWeights, ...rest } = pairs();
      const lengths = Int32Array.of(3, 0, 5, 9);
      return [
        { ...rest, chosenLengths: lengths },
        { lossType: ["sft", "aot"], out: { losses: floats(B) } },
      ];
    }),
    ...(ownLosses
      ? [
          pairLoss("a loss of one's own", () => {
            const pair = (a: number, c: number) => [(a - c) ** 2, 2 * (a - c), 2 * (c - a)];
            const loss = { id: "mine", title: "mine", params: { knob: { default: 1, min: 0, max: 2 } }, pair };
            return [pairs(), { lossType: [loss, own], knob: 0.5, lossWeights: [1, 2], out: pairBuffers() }];
          }),
        ]
      : []),
    unpairedLoss("in and out", () => [
      { ...randomRows(B, 5), lengths: BigInt64Array.of(3n, 0n, 5n, 9n), rowWeights: Float32Array.of(1, 0.5, 0, 2) },
      {
        ...{
          lossType: ["kto", "apo_zero_unpaired"],
          lossWeights: [0.7, 0.3],
          desirableWeight: 1.2,
          undesirableWeight: 0.8,
        },
        ...{ metrics: "full", validate: "finite", out: { losses: floats(B), grad: floats(B), rewards: floats(B) } },
      },
    ]),
    unpairedLoss(
      "a running mean, labels as booleans",
      () => {
        const mean = createRunningMean({ mean: 0.5, count: 2 });
        const { policy, reference } = randomRows(B, 6);
        const rows = { policy: Float64Array.from(policy), reference, densityRatio: Float64Array.of(1, 2, 0.5, 3) };
        return [
          { ...rows, desirable: [true, false, false, true] },
          { lossType: "bco", rewardShift: mean, beta: 0.3 },
        ];
      },
      countOf,
    ),
    logitsLoss("rows", () => {
      const kl = { policy: Float64Array.of(-3, -4, -2), reference: Float32Array.of(-3.5, -5, -2) };
      const batch = { ...asRows(randomLogits(shape)), desirable: Uint8Array.of(1, 0, 0, 1), kl };
      const { gradChosen: _c, gradRejected: _r, ...out } = { ...lossBuffers(), losses: floats(4), grad: floats(4) };
      return [batch, { lossType: "kto", metrics: "full", out }];
    }),
    linearLoss("packed rows", () => {
      const { lora: _, ...batch } = randomLinear({ ...shape, width: 3, isPacked: true });
      return [
        { ...asRows(batch), desirable: [true, false, true, true] },
        { lossType: ["bco", "apo_zero_unpaired"], validate: "finite" },
      ];
    }),
    sequenceLogps("padded", () => {
      const { tokens, vocab, logits } = randomLogits(shape);
      return [
        { tokens: { ...tokens, logitsFrom: 0 }, vocab, logits },
        { ldAlpha: 0.5, metrics: "full", out: logpBuffers(), validate: "finite" },
      ];
    }),
    sequenceLogps("packed, 64-bit ids", () => {
      const { tokens, vocab, logits } = packed();
      const ids = { offsets: asBigInts(tokens.offsets), targets: asBigInts(tokens.targets) };
      return [{ tokens: { ...tokens, ...ids }, vocab, logits }, {}];
    }),
    logitsLoss("logits of the reference", () => {
      const options = { lossType: ["sigmoid", "sft"], lossWeights: [1, 0.2], ldAlpha: 0.5, metrics: "full" };
      return [randomLogits(shape), { ...options, out: { ...lossBuffers(), gradLogits: floats(positions * 5) } }];
    }),
    logitsLoss("bfloat16 in place, log-probs", () => {
      const { tokens, vocab } = randomLogits(shape);
      const logits = { bf16: halfBits(positions * vocab, 37) };
      const logps = Float64Array.of(-3, -4, -5, -6);
      return [
        { tokens, vocab, logits, reference: { logps } },
        { weighting: "wpo", inPlace: true, beta: 0.3 },
      ];
    }),
    logitsLoss("packed, a head of the reference", () => {
      const { tokens, vocab, logits } = packed();
      const hidden = Float32Array.from({ length: (logits.length / vocab) * 3 }, (_, i) => Math.sin(i));
      const weight = { f16: halfBits(vocab * 3, 11) };
      const reference = { hidden, weight, bias: floats(vocab), hiddenSize: 3 };
      return [
        { tokens, vocab, logits, reference },
        { lossType: "sppo_hard", gradType: "f32", validate: "finite" },
      ];
    }),
    linearLoss("an adapter", () => {
      const { bias: _, ...batch } = randomLinear({ ...shape, width: 3, rank: 2 });
      const lora = batch.lora as NonNullable<typeof batch.lora>;
      const out = { ...lossBuffers(), gradHidden: floats(positions * 3), gradA: floats(6), gradB: floats(10) };
      return [
        { ...batch, lora },
        { beta: 0.2, out, accumulate: true, gradScale: 0.5, validate: "finite" },
      ];
    }),
    linearLoss("packed, a bias", () => {
      const { lora: _, ...batch } = randomLinear({ ...shape, width: 3, bias: true, isPacked: true });
      return [batch, { lossType: "hinge", metrics: "full", out: { gradWeight: floats(15), gradBias: floats(5) } }];
    }),
    {
      name: "allocate, free",
      make: () => ["f32", 8],
      run: (args) => {
        const array = (backend.allocate as (...args: readonly never[]) => ArrayBufferView)(...args);
        backend.free(array as never);
      },
      writes: nothing,
    },
    {
      name: "free",
      make: () => [{ array: floats(4) }.array],
      run: ([array]) => {
        try {
          backend.free(array as never);
        } catch (error) {
          // The sound call is refused too: nothing was allocated.
          if (!(error as Error).message?.startsWith("free: expected an array")) throw error;
        }
      },
      writes: nothing,
    },
  ];
  return calls;
}

const tensors = () => [Float32Array.of(0.5, -1, 2), Float32Array.of(1)];
const stepOf = ([, , state]: readonly unknown[]) => {
  const held = state as { step: unknown };
  return () => Object.getOwnPropertyDescriptor(held, "step")?.value;
};
const optimised = (): readonly string[] => ["0", "2"];
const spread =
  <A extends readonly never[]>(call: (...args: never[]) => unknown) =>
  (args: A) =>
    call(...args);

/** The calls that need no backend. */
export function plainCalls(): readonly SoundCall[] {
  const js = Object.freeze(createJs());
  const logps = () => ({ logps: Float64Array.of(-3, -4, -5, -6) });
  const example = () => ({ prompt: [1, 2], chosen: Int32Array.of(3, 4), rejected: BigInt64Array.of(5n) });
  const trl = () => ({ prompt_ids: [1, 2], chosen_ids: [1, 2, 3], rejected_ids: [4] });
  const config = () => ({
    ...{ loss_type: ["sigmoid", "sft"], loss_weights: [1, 0.5], beta: 0.2, label_smoothing: 0.1, max_length: 8 },
    ...{ learning_rate: 1e-4, warmup_steps: 3, lr_scheduler_kwargs: { num_cycles: 1 }, seed: 3, pad_token: null },
  });
  const tensor = () => ({
    ...{ type: "float32", dims: [4, 4, 5], location: "cpu" },
    data: randomLogits(shape).logits,
  });
  const ids = (type: string, data: unknown) => ({ type, dims: [4, 4], location: "cpu", data });
  const tf = {
    scalar: (value: number) => ({ shape: [], dtype: "float32", dataSync: () => [value] }),
    tensor: (values: Float32Array, shape: number[]) => ({ shape, dtype: "float32", dataSync: () => values }),
    customGrad: (f: (x: unknown) => { value: unknown }) => (x: unknown) => f(x).value,
    mul: (a: unknown) => a,
    tidy: (f: () => unknown) => f(),
  };
  const jaxArray = () => ({ shape: [4, 4, 5], data: async () => randomLogits(shape).logits });
  const jax = {
    numpy: { array: (values: Float32Array) => values },
    vjp: (model: () => unknown) =>
      [model(), Object.assign((gradient: unknown) => [gradient], { dispose() {} })] as const,
  };
  const call = (
    name: string,
    make: () => unknown[],
    run: (...args: never[]) => unknown,
    writes = nothing,
    state?: SoundCall["state"],
  ): SoundCall => ({
    ...{ name, make, run: spread(run), writes },
    ...(state && { state }),
  });
  return [
    call(
      "adamw",
      () => [tensors(), tensors(), adamwState(tensors()), { lr: 0.1, betas: [0.9, 0.99], eps: 1e-6, weightDecay: 0.1 }],
      adamw,
      optimised,
      stepOf,
    ),
    call(
      "sgd",
      () => [tensors(), tensors(), sgdState(tensors()), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1 }],
      sgd,
      optimised,
      stepOf,
    ),
    call(
      "clipGradNorm",
      () => [tensors(), 0.5],
      clipGradNorm,
      () => ["0"],
    ),
    call("adamwState", () => [tensors(), js], adamwState),
    call("sgdState", () => [tensors()], sgdState),
    call(
      "lrSchedule",
      () => [
        100,
        { learningRate: 1e-3, lrSchedulerType: "cosine", lrSchedulerKwargs: { num_cycles: 1 }, warmupSteps: 10 },
        7,
      ],
      (steps: number, options: object, at: number) => lrSchedule(steps, options)(at),
    ),
    call(
      "createRunningMean",
      () => [{ mean: 0.5, count: 3 }],
      (state: never) => createRunningMean(state).update(1),
    ),
    call(
      "defineLoss",
      () => [
        {
          id: "mine",
          title: "mine",
          params: { a: { default: 1, min: 0, max: 2, open: "max" } },
          margin: (d: number, a: number) => [a * d, a],
        },
      ],
      (loss: never) => js.pairLoss(randomPairs(B, 3), { lossType: defineLoss(loss) }),
    ),
    call("fromTrl", () => [config(), { version: "0.24.0" }], fromTrl),
    call(
      "collate",
      () => [
        [example(), trl()],
        {
          maxLength: 8,
          truncationMode: "keep_end",
          maxPromptLength: 4,
          maxCompletionLength: 4,
          padToMultipleOf: 2,
          padTokenId: 0,
          layout: "padded",
        },
      ],
      collate,
    ),
    call("collate, packed", () => [[example(), example()], { layout: "packed" }], collate),
    call("ortLogits", () => [tensor(), randomLogits(shape).tokens], ortLogits),
    call("ortTokens", () => [ids("int32", new Int32Array(16)), ids("bool", new Uint8Array(16))], ortTokens),
    call(
      "tfLogitsLoss",
      () => [
        js,
        { tokens: randomLogits(shape).tokens, reference: logps() },
        { beta: 0.2 },
        { shape: [4, 4, 5], dtype: "float32", dataSync: () => randomLogits(shape).logits },
      ],
      (backend: never, batch: never, options: never, logits: never) =>
        tfLogitsLoss(tf as never, backend, batch, options)(logits),
      () => ["0"],
    ),
    call(
      "jaxLogitsLoss",
      () => [js, { tokens: randomLogits(shape).tokens, reference: logps() }, { beta: 0.2 }],
      (backend: never, batch: never, options: never) =>
        jaxLogitsLoss(jax as never, backend, jaxArray as never, batch, options)(),
    ),
  ];
}

/** The factories: each makes a backend, which takes its time. */
export function factoryCalls(module: WebAssembly.Module): readonly SoundCall[] {
  const use = async (backend: AnyBackend): Promise<void> => {
    try {
      // No worker starts for this.
      await backend.pairLoss(pairs());
    } catch (error) {
      if (!(error as { code?: unknown }).code) throw error;
    } finally {
      await backend.dispose();
    }
  };
  const factory = (name: string, options: () => object, create: (options: never) => unknown): SoundCall => ({
    ...{ name, make: () => [options()], run: ([given]) => create(given as never), writes: nothing },
    after: (made) => made && use(made as AnyBackend),
  });
  return [
    factory("createWasm", () => ({ module, relaxed: false, reserve: 4096 }), createWasm),
    factory("createBackend", () => ({ for: "pairs", relaxed: false }), createBackend),
    factory(
      "createPool",
      () => ({ workers: 1, memory: "auto", module, relaxed: false, maxQueue: 3, timeout: 2000 }),
      createPool,
    ),
    factory(
      "createWebGpu",
      () => ({ powerPreference: "low-power" }),
      async (options) => {
        try {
          return await createWebGpu(options);
        } catch (error) {
          // Where there is no GPU, that is the answer.
          if ((error as { code?: unknown }).code !== "unavailable") throw error;
          return undefined;
        }
      },
    ),
  ];
}
