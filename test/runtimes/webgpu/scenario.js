// What the WebGPU backend must do in every runtime that has one, through the built package: returns a report for a test to
// compare. Plain JavaScript: it runs as it stands in Deno and in a page without a bundler.

import { BackendError, createJs, losses as definitions, lossTypes } from "../../../dist/index.js";
import { createWebGpu, gpuMetrics } from "../../../dist/webgpu.js";
import { bytesOf, createComparison, createRandom, floatsOf } from "./compare.js";

const STORAGE = 0x80;
const COPY_DST = 0x8;
const js = createJs();
const rowLosses = lossTypes.filter((id) => "row" in definitions[id]);
const pairLossTypes = lossTypes.filter((id) => !rowLosses.includes(id));
const vectors = ["losses", "gradChosen", "gradRejected"];
const tokenNames = ["tokenLogps", "logsumexp", "logps"];

const { random, numbers } = createRandom();
const counts = (n) => numbers(n, 20).map(Math.ceil);

function metricsNear(near, name, got, want) {
  const expected = { loss: want.loss, ...want.metrics };
  gpuMetrics.forEach((key, at) => {
    if (key in expected) near(`${name} ${key}`, [got[at]], [expected[key]], "metrics");
  });
}

async function pairLosses(gpu, near) {
  const divergences = ["forward_kl", "js_divergence", "alpha_divergence"].map((fDivergence) => ({ fDivergence }));
  for (const count of [7, 1100]) {
    const logps = ["policyChosen", "policyRejected", "referenceChosen", "referenceRejected"];
    const pairs = Object.fromEntries(logps.map((name) => [name, numbers(count, -50)]));
    const rewardMargin = numbers(count, 3);
    Object.assign(pairs, { chosenLengths: counts(count), rejectedLengths: counts(count), rewardMargin });
    for (const options of [...pairLossTypes.map((lossType) => ({ lossType })), ...divergences]) {
      const want = js.pairLoss(pairs, options);
      const got = await gpu.pairLoss(pairs, options);
      const result = await gpu.pairLoss(pairs, { ...options, readback: false });
      const there = await floatsOf(gpu.device, result);
      result.destroy();
      const title = `${JSON.stringify(options)}, ${count} pairs:`;
      for (const name of vectors) {
        near(`${title} ${name}`, got[name], want[name], "pairs");
        near(`${title} ${name} there`, there[name], want[name], "pairs");
      }
      metricsNear(near, title, there.metrics, want);
    }
  }
}

async function unpairedLosses(gpu, near) {
  for (const count of [7, 1100]) {
    const names = ["policy", "reference", "klPolicy", "klReference"];
    const rows = Object.fromEntries(names.map((name) => [name, numbers(count, -50)]));
    rows.desirable = Uint8Array.from({ length: count }, (_, at) => at % 3 && 1);
    for (const lossType of rowLosses) {
      const want = js.unpairedLoss(rows, { lossType });
      const got = await gpu.unpairedLoss(rows, { lossType });
      for (const name of ["losses", "grad"])
        near(`${lossType}, ${count} rows: ${name}`, got[name], want[name], "pairs");
    }
  }
}

const length = 5;

function makeBatch(vocab) {
  const tokens = {
    pairs: 2,
    length,
    inputIds: Int32Array.from({ length: 4 * length }, () => Math.floor(vocab * random())),
    completionMask: Uint8Array.from({ length: 4 * length }, (_, at) => Number(at % length > 1)),
  };
  const reference = { logits: numbers(4 * length * vocab, 9) };
  return { tokens, vocab, logits: numbers(4 * length * vocab, 9), reference };
}

/** As many numbers, as bits below those of the infinities. */
const asHalf = (type, { length }) => ({ [type]: new Uint16Array(length).map(() => random() * 0x4800) });

async function logitsLosses(gpu, near) {
  for (const vocab of [33, 20_001]) {
    const batch = makeBatch(vocab);
    for (const options of [{ lossType: ["sigmoid", "aot", "sft"] }, { weighting: "wpo", ldAlpha: 0.5 }]) {
      const want = js.logitsLoss(batch, options);
      const got = await gpu.logitsLoss(batch, options);
      const result = await gpu.logitsLoss(batch, { ...options, readback: false });
      const there = await floatsOf(gpu.device, result);
      result.destroy();
      const kinds = { tokenLogps: "tokenLogps", logps: "logps", gradLogits: "gradLogits", losses: "pairs" };
      for (const [name, kind] of Object.entries(kinds)) {
        near(`V ${vocab}: ${name}`, got[name], want[name], kind);
        near(`V ${vocab}: ${name} there`, there[name], want[name], kind);
      }
      metricsNear(near, `V ${vocab}:`, there.metrics, want);
    }
    for (const type of ["f16", "bf16"]) {
      const half = { ...batch, logits: asHalf(type, batch.logits), reference: { logps: new Float64Array(4) } };
      const want = js.logitsLoss(half, { gradType: "f32" });
      const got = await gpu.logitsLoss(half);
      near(`V ${vocab}: ${type} tokenLogps`, got.tokenLogps, want.tokenLogps, "tokenLogps");
      near(`V ${vocab}: ${type} gradLogits`, got.gradLogits, want.gradLogits, "gradLogits", type);
    }
    const sequences = { ...batch, reference: undefined };
    const want = js.sequenceLogps(sequences);
    const got = await gpu.sequenceLogps(sequences);
    const result = await gpu.sequenceLogps(sequences, { readback: false });
    const there = await floatsOf(gpu.device, result);
    result.destroy();
    for (const name of tokenNames) {
      near(`V ${vocab}: sequences ${name}`, got[name], want[name], name);
      near(`V ${vocab}: sequences ${name} there`, there[name], want[name], name);
    }
  }
}

/** Logits in a buffer of the caller's, on the backend's device: the gradient takes their place, in their type. */
async function buffers(gpu, near) {
  const batch = makeBatch(301);
  for (const type of ["f32", "f16", "bf16"]) {
    const logits = type === "f32" ? batch.logits : asHalf(type, batch.logits);
    const data = type === "f32" ? logits : logits[type];
    const buffer = gpu.device.createBuffer({ size: data.byteLength, usage: STORAGE | COPY_DST | 0x4 });
    gpu.device.queue.writeBuffer(buffer, 0, data);
    const there = await gpu.logitsLoss(
      { ...batch, logits: { buffer, type } },
      { inPlace: true, readback: false, lossType: "ipo" },
    );
    const want = js.logitsLoss({ ...batch, logits }, { lossType: "ipo", gradType: "f32" });
    const whole = { buffer, offset: 0, size: data.byteLength };
    const { bytes, logps } = await bytesOf(gpu.device, { bytes: whole, logps: there.logps });
    const got = type === "f32" ? new Float32Array(bytes) : { [type]: new Uint16Array(bytes) };
    near(`buffer of ${type}: gradLogits`, got, want.gradLogits, "gradLogits", type);
    near(`buffer of ${type}: logps`, new Float32Array(logps), want.logps, "logps");
    await there.done;
    there.destroy();
    buffer.destroy();
  }
}

async function heads(gpu, near) {
  const [rows, vocab, hiddenSize] = [6, 500, 24];
  const head = {
    tokens: { pairs: 1, offsets: Int32Array.of(0, 3, 6), targets: Int32Array.of(1, 2, 3, 4, 5, 6) },
    vocab,
    hiddenSize,
    hidden: numbers(rows * hiddenSize, 1),
    weight: numbers(vocab * hiddenSize, 1),
    bias: numbers(vocab, 1),
    reference: { logps: new Float64Array(2) },
  };
  const [got, want] = [await gpu.linearLoss(head), js.linearLoss(head)];
  const names = ["gradHidden", "gradWeight", "gradBias"];
  for (const name of names) near(name, got[name], want[name], "head");

  // The head in a buffer, in each type; its gradient in a new one.
  for (const type of ["f32", "f16", "bf16"]) {
    const weight = type === "f32" ? head.weight : asHalf(type, head.weight);
    const data = type === "f32" ? weight : weight[type];
    const buffer = gpu.device.createBuffer({ size: data.byteLength, usage: STORAGE | COPY_DST });
    gpu.device.queue.writeBuffer(buffer, 0, data);
    const options = { readback: false, gradType: "f32" };
    const result = await gpu.linearLoss({ ...head, weight: { buffer, type } }, options);
    const wanted = js.linearLoss({ ...head, weight }, { gradType: "f32" });
    const there = await floatsOf(gpu.device, result);
    for (const name of names) near(`head of ${type}: ${name} there`, there[name], wanted[name], "head");
    near(`head of ${type}: logps there`, there.logps, wanted.logps, "logps");
    metricsNear(near, `head of ${type}:`, there.metrics, wanted);
    result.destroy();
    buffer.destroy();
  }
}

/** What a promise rejects with, as far as a caller may rely on it. */
const refusal = (promise) =>
  promise.then(
    () => "no error",
    (error) => ({ name: error.name, code: error.code, typed: error instanceof BackendError }),
  );

async function losses(gpu, near, report) {
  const batch = makeBatch(301);
  const gone = gpu.device.createBuffer({ size: batch.logits.byteLength, usage: STORAGE });
  gone.destroy();
  report.destroyedBuffer = await refusal(gpu.logitsLoss({ ...batch, logits: { buffer: gone } }));

  const first = gpu.device;
  const submit = first.queue.submit.bind(first.queue);
  // Once the commands are submitted, and before anything has come back.
  first.queue.submit = (commands) => {
    submit(commands);
    first.destroy();
  };
  report.deviceDestroyedInMidCall = await refusal(gpu.logitsLoss(batch));
  const [got, want] = [await gpu.logitsLoss(batch), js.logitsLoss(batch)];
  report.goesOnWithAnotherDevice = gpu.device !== first;
  near("after the loss: gradLogits", got.gradLogits, want.gradLogits, "gradLogits");

  const { device } = gpu;
  const shared = await createWebGpu({ device });
  await shared.dispose();
  near("a shared device lives on", (await gpu.logitsLoss(batch)).logps, want.logps, "logps");
  await gpu.dispose();
  report.afterDispose = await refusal(gpu.logitsLoss(batch));
}

export async function runScenario() {
  const gpu = await createWebGpu();
  const { near, report: numbersReport } = createComparison();
  const report = { reason: gpu.reason };
  await pairLosses(gpu, near);
  await unpairedLosses(gpu, near);
  await logitsLosses(gpu, near);
  await buffers(gpu, near);
  await heads(gpu, near);
  await losses(gpu, near, report);
  return { ...report, ...numbersReport() };
}
