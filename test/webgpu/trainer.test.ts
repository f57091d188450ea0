// createTrainer on a GPU, where weights, gradients and the optimiser's state stay: the curves of wasm, the same bits after a stop, what
// is read back, and devices that are lost.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BackendError, createWasm, type Floats } from "../../src/index.ts";
import { type PairExample, readAdapter, readSafetensors, type Trainer, type TrainerOptions } from "../../src/train.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { missesNear } from "../support/compare.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "../support/dawn.ts";
import { toBits } from "../support/half.ts";
import {
  backbone,
  type Given,
  hiddenSize,
  memoryStore,
  newHead,
  newTrainer,
  pairs,
  rows,
  take,
  vocab,
} from "../support/trainer.ts";
import { trainings } from "../support/trainings.ts";

const wasm = await createWasm({ relaxed: false });

const numbersOf = (floats: Floats | undefined): Float32Array => (floats ?? new Float32Array()) as Float32Array;

/** What is trained, in the caller's arrays. */
const trained = ({ head: { weight, bias, lora } }: Trainer): Float32Array[] =>
  lora ? [lora.a, lora.b].map(numbersOf) : [weight, bias].map(numbersOf);

const completionsOf = (pair: PairExample): number =>
  "chosen" in pair ? (pair.chosen as number[]).length + (pair.rejected as number[]).length : 0;

const onePair = { policyChosen: Float32Array.of(-1), policyRejected: Float32Array.of(-2) };

const halves = (values: Float32Array) => ({ bf16: toBits("bf16", values) });

const more: typeof trainings = [
  ...trainings,
  ["sums of parts clipped hard", { max_grad_norm: 0.05, gradient_accumulation_steps: 3 }, () => ({})],
  ["no clipping", { max_grad_norm: 0 }, () => ({})],
  [
    "halves, trained in float32",
    {},
    () => ({
      head: { ...newHead(), weight: halves(newHead().weight) },
      backbone: (batch) => halves(backbone(batch)),
    }),
  ],
  [
    "an adapter of halves, and of a bias",
    {},
    () => ({
      head: { ...newHead(), weight: halves(newHead().weight), bias: new Float32Array(vocab).fill(0.25) },
      lora: { rank: 3, alpha: 6 },
    }),
  ],
  ["another reference", {}, () => ({ reference: { weight: newHead().weight.map((x) => -x) } })],
  [
    "a reference that the examples bring",
    {},
    () => ({
      reference: "precomputed",
      examples: pairs.map((pair, i) => ({ ...pair, refChosenLogps: -i, refRejectedLogps: -1 - i })),
    }),
  ],
  ["a mixture of losses, LD-DPO", { loss_type: ["sigmoid", "sft"], ld_alpha: 0.5 }, () => ({})],
  ["a divergence, weights of WPO", { f_divergence_type: "js_divergence", use_weighting: true }, () => ({})],
  [
    "the best head at the end",
    { learning_rate: 3, eval_steps: 1, load_best_model_at_end: true, metric_for_best_model: "loss" },
    () => ({ evalExamples: pairs.slice(0, 6) }),
  ],
  ["rows that are desirable or not", { loss_type: "apo_zero_unpaired" }, () => ({ examples: rows })],
];

onDawn("createTrainer on WebGPU", () => {
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());

  it.each(more)("%s: the curve of wasm", async (_name, config, given) => {
    const run = async (backend: TrainerOptions["backend"]) => {
      const trainer = await newTrainer({ max_steps: 4, ...config }, { ...given(), backend });
      const steps = await take(trainer);
      return { steps, weights: trained(trainer), trainer };
    };
    const [got, want] = [await run(gpu), await run(wasm)];
    const found: string[] = [];
    for (const [i, { metrics, step }] of want.steps.entries()) {
      const own = got.steps[i]?.metrics ?? {};
      expect(Object.keys(own)).toEqual(Object.keys(metrics));
      for (const [key, value] of Object.entries(metrics)) {
        found.push(...missesNear(`step ${step} ${key}`, [own[key] as number], [value], 2e-4, 2e-5));
      }
    }
    got.weights.forEach((values, i) => {
      found.push(...missesNear(`weights[${i}]`, values, want.weights[i] as Float32Array, 2e-4, 2e-4));
    });
    expect(found).toEqual([]);
    await got.trainer.dispose();
  });

  it.each(trainings)("%s: goes on with the same bits", async (_name, config, given) => {
    const make = (more: Given) => newTrainer({ max_steps: 5, ...config }, { ...given(), backend: gpu, ...more });
    const whole = await make({});
    const expected = await take(whole);
    const end = await whole.files();
    const store = memoryStore();
    const first = await make({ checkpoint: { store, everySteps: 1 } });
    const before = await take(first, 3);
    const second = await make({ checkpoint: { store, everySteps: 1 }, resume: true });
    expect([second.step, second.warnings]).toEqual([3, first.warnings]);
    expect([...before, ...(await take(second))]).toEqual(expected);
    expect(await second.files()).toEqual(end);
  });

  it("goes on from a checkpoint of another backend", async () => {
    const store = memoryStore();
    const make = (backend: TrainerOptions["backend"], resume: boolean) =>
      newTrainer({ max_steps: 6 }, { backend, checkpoint: { store, everySteps: 1 }, resume });
    await take(await make(wasm, false), 3);
    const second = await make(gpu, true);
    const [first] = await take(second, 1);
    expect([first?.step, second.warnings]).toEqual([4, []]);
    expect((await make(wasm, true)).step).toBe(4);
  });

  describe("the caller's arrays", () => {
    it("have what was trained when iterating stops, and whenever files are made", async () => {
      const head = newHead();
      const trainer = await newTrainer({ max_steps: 4 }, { backend: gpu, head });
      const start = head.weight.slice();
      expect(trainer.head.weight).toBe(head.weight);
      for await (const { step } of trainer) {
        expect(head.weight).toEqual(start);
        if (step === 2) break;
      }
      const stopped = head.weight.slice();
      expect(stopped).not.toEqual(start);
      for await (const { step } of trainer) {
        expect(head.weight).toEqual(stopped);
        if (step === 3) break;
      }
      const steps = trainer[Symbol.asyncIterator]();
      await steps.next();
      const { "model.safetensors": file } = await trainer.files();
      expect(head.weight).not.toEqual(stopped);
      expect(readSafetensors(file as Uint8Array).tensors["lm_head.weight"]?.data).toEqual(head.weight);
      await trainer.dispose();
    });

    it("have it after dispose, whoever asked for the steps", async () => {
      const lora = { rank: 2, alpha: 4, a: new Float32Array(2 * hiddenSize).fill(0.1), b: new Float32Array(2 * vocab) };
      const trainer = await newTrainer({ max_steps: 4 }, { backend: gpu, lora });
      await trainer[Symbol.asyncIterator]().next();
      expect(lora.b).toEqual(new Float32Array(2 * vocab));
      await trainer.dispose();
      expect(lora.b).not.toEqual(new Float32Array(2 * vocab));
    });

    it("an adapter's files are PEFT's, from what is on the GPU", async () => {
      const trainer = await newTrainer({ max_steps: 2 }, { backend: gpu, lora: { rank: 2, alpha: 4 } });
      await take(trainer);
      const { "training_config.json": _, ...files } = await trainer.files();
      const { lora } = readAdapter(files as unknown as Parameters<typeof readAdapter>[0]);
      expect([lora.a, lora.b]).toEqual(trained(trainer));
    });
  });

  it("reads back the norm and the sums of tokens alone, in two submissions a step, and makes no buffer after the first", async () => {
    const device = await (await adapterOfDawn()).requestDevice();
    const counts = { submissions: 0, buffers: 0, bytes: 0 };
    const submit = device.queue.submit.bind(device.queue);
    device.queue.submit = (commands) => {
      counts.submissions++;
      submit(commands);
    };
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      const map = buffer.mapAsync.bind(buffer);
      buffer.mapAsync = (mode, offset, size) => {
        counts.bytes += size ?? buffer.size;
        return map(mode, offset, size);
      };
      counts.buffers++;
      return buffer;
    };
    const own = await createWebGpu({ device });
    for (const lora of [undefined, { rank: 20, alpha: 20 }]) {
      const config = { max_steps: 5, ...(lora ? {} : { precompute_ref_log_probs: true }), num_train_epochs: 9 };
      const given = { backend: own, lora, shuffle: false, examples: pairs.slice(0, 4), checkpoint: undefined };
      const trainer = await newTrainer(config, given);
      const seen: (typeof counts)[] = [];
      for await (const _ of trainer) {
        seen.push({ ...counts });
        Object.assign(counts, { submissions: 0, buffers: 0, bytes: 0 });
      }
      const tokens = pairs.slice(0, 4).reduce((sum, pair) => sum + completionsOf(pair), 0);
      // Of each token of the policy, and for an adapter of the reference, its sums.
      const perStep = { submissions: 2, buffers: 0, bytes: 4 + 32 * tokens * (lora ? 2 : 1) };
      expect(seen.slice(1)).toEqual([perStep, perStep, perStep, perStep]);
      // What was trained, when iterating stopped.
      expect(counts.bytes).toBe(4 * (lora ? 20 * (vocab + hiddenSize) : vocab * hiddenSize));
      Object.assign(counts, { submissions: 0, buffers: 0, bytes: 0 });
      await trainer.dispose();
      expect(counts.bytes).toBe(0);
    }
    await own.dispose();
    device.destroy();
  });

  it("a device that is lost ends it with an error of its kind; the newest checkpoint stays, and goes on to the same bits", async () => {
    const make = async (store: ReturnType<typeof memoryStore>, resume: boolean) => {
      const device = await (await adapterOfDawn()).requestDevice();
      const backend = await createWebGpu({ device });
      const trainer = await newTrainer({ max_steps: 6 }, { backend, checkpoint: { store, everySteps: 2 }, resume });
      return { device, trainer };
    };
    const whole = await make(memoryStore(), false);
    const expected = await take(whole.trainer);
    const end = await whole.trainer.files();
    const store = memoryStore();
    const { device, trainer } = await make(store, false);
    let taken = 0;
    const run = async () => {
      for await (const { step } of trainer) {
        taken = step;
        if (step === 3) device.destroy();
      }
    };
    const error: unknown = await run().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(String(error)).toContain("the device was lost");
    expect(taken).toBe(3);
    await expect(take(trainer)).rejects.toThrow("resume: true goes on from the newest checkpoint");
    await expect(trainer.checkpoint()).rejects.toMatchObject({ code: "unavailable" });
    await expect(trainer.files()).rejects.toMatchObject({ code: "unavailable" });
    expect([...store.files.keys()].sort()).toEqual(["checkpoint-2.json", "checkpoint-2.safetensors"]);
    await trainer.dispose();
    const second = await make(store, true);
    expect(second.trainer.step).toBe(2);
    expect(await take(second.trainer)).toEqual(expected.slice(2));
    expect(await second.trainer.files()).toEqual(end);
    for (const { device } of [whole, second]) device.destroy();
  });

  it("another device in place of a lost one has nothing of the training, which it says", async () => {
    asNavigator(dawn);
    const backend = await createWebGpu();
    const trainer = await newTrainer({ max_steps: 6 }, { backend });
    await take(trainer, 2);
    const first = backend.device as GPUDevice;
    first.destroy();
    // The first call that finds it lost gets another.
    while (backend.device === first) await backend.pairLoss(onePair, { referenceFree: true }).catch(() => undefined);
    await expect(take(trainer)).rejects.toThrow("what was trained on it went with it");
    await trainer.dispose();
    await backend.dispose();
    asNavigator(undefined);
  });

  it("is refused where there is no room for it, and leaves nothing behind", async () => {
    const device = await (await adapterOfDawn()).requestDevice();
    const { minStorageBufferOffsetAlignment } = device.limits;
    const limits = { maxStorageBufferBindingSize: 1 << 20, maxBufferSize: 900, minStorageBufferOffsetAlignment };
    Object.defineProperty(device, "limits", { value: limits });
    const backend = await createWebGpu({ device });
    const error: unknown = await newTrainer({ max_steps: 1 }, { backend }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "BackendError", code: "out-of-memory" });
    expect(String(error)).toContain("expected at most 900 bytes, got 960");
    await backend.dispose();
    device.destroy();
  });
});
