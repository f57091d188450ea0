// The printed WGSL on Dawn, against the definitions in float64: every function of losses.gen.ts, and the math it stands on.
//
// Runs without a GPU, on the Vulkan driver in software (SwiftShader) that Debian's chromium brings; VK_ICD_FILENAMES chooses
// another. Without a driver the tests are skipped, with CI set they fail.

import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KernelName, kernelConstants } from "../src/backend/constants.gen.ts";
import { jsDivergence, type Margin, powerDivergence, reverseKl } from "../src/divergences.ts";
import { defineLoss, type Loss, type MarginLoss, type PairLoss } from "../src/losses/define.ts";
import { lossesWgsl } from "../src/webgpu/losses.gen.ts";
import { mathWgsl } from "../src/webgpu/math.wgsl.ts";
import { lossKernel } from "../scripts/generate/kernel.ts";
import { printWgsl } from "../scripts/generate/wgsl.ts";
import { excessOver, misses } from "./support/compare.ts";
import { randomFrom } from "./support/pairs.ts";
import { isLikelihood, isSorted, plainVariants, tunedVariants } from "./support/variants.ts";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
if (!process.env["VK_ICD_FILENAMES"] && existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;

// The package's own types repeat those of lib.dom and clash with them: imported by a name that tsc does not follow.
interface Dawn {
  create(options: string[]): GPU;
  globals: Record<"GPUBufferUsage" | "GPUMapMode", Record<string, number>>;
}
const dawn: string = "webgpu";
const { create, globals } = (await import(dawn)) as Dawn;
const gpu = create([]);
const device = await (await gpu.requestAdapter())?.requestDevice();
const missing = device ? "" : "no Vulkan driver: apt-get install -y --no-install-recommends chromium libvulkan1";
afterAll(() => device?.destroy());

const GRAD_SCALE = 0.375;
const FLOAT32_MAX = 3.4028234663852886e38;

/** One function with one set of hyperparameters. */
interface Case {
  name: string;
  kernel: KernelName;
  constants: readonly number[];
  exact: (a: number, c: number, chosenLength: number, rejectedLength: number) => readonly number[];
  /** The size of the parts that may cancel in the first result and in the two derivatives. */
  scales: readonly [number, number];
}

const constantsOf = (kernel: KernelName, ...params: number[]): readonly number[] =>
  (kernelConstants[kernel] as (...params: number[]) => readonly number[])(...params);

function exactOf(loss: MarginLoss | PairLoss, params: number[]): Case["exact"] {
  return (a, c, chosenLength, rejectedLength) => {
    if ("pair" in loss) {
      const [value, da, dc] = loss.pair(a, c, ...params);
      return [value, GRAD_SCALE * da, GRAD_SCALE * dc];
    }
    const [d, da, dc] = loss.normalised ? reverseKl(a, c, chosenLength, rejectedLength) : [a - c, 1, -1];
    const [value, slope] = loss.margin(d, ...params);
    return [value, GRAD_SCALE * slope * da, GRAD_SCALE * slope * dc];
  };
}

const hasKernel = (loss: Loss): loss is MarginLoss | PairLoss => !isLikelihood(loss) && !isSorted(loss);

const lossCases = [...plainVariants, ...tunedVariants].flatMap(({ name, id, loss, options }): Case[] => {
  if (!hasKernel(loss)) return [];
  const kernel = `pair_${id}` as KernelName;
  const params = Object.entries(loss.params).map(([key, param]) => Number(options[key as "beta"] ?? param.default));
  const constants = constantsOf(kernel, GRAD_SCALE, ...params);
  return [{ name, kernel, constants, exact: exactOf(loss, params), scales: [1, GRAD_SCALE * (options.beta ?? 0.1)] }];
});

const marginCase = (kernel: KernelName, margin: Margin, ...params: number[]): Case => ({
  name: [kernel, ...params].join(" "),
  kernel,
  constants: constantsOf(kernel, ...params),
  exact: (...inputs) => margin(...inputs, ...params),
  // Divided by two lengths, the constant 1/(α−1) stays in the margin.
  scales: [Math.max(1, 1 / Math.abs(params[0] ?? 1)), 1],
});

const cases: readonly Case[] = [
  ...lossCases,
  marginCase("margin_js", jsDivergence),
  marginCase("margin_power", powerDivergence, -1, Infinity),
  ...[-0.5, -1, 1, -1e-3, 1e-3, 1e-5].map((k) => marginCase("margin_power", powerDivergence, k, 80)),
];

// Random pairs, then every two of the edge values: β·a and β·c up to 1e4, ties, zeros, empty completions. With each pair go
// an x and an e in [0, 1] for the elementary functions.
const edges = [0, 1e-3, 0.5, 1, 10, 50, 88, 100, 710, 1e3, 1e4].flatMap((z) => [z / 0.1, -z / 0.1]);
const special = [0, 17.4, 86.98, 87.0, 87.4, 88.722, 88.723, 88.9, 1e4, 3e38].flatMap((x) => [x, -x]);

function makeInputs(): Input[] {
  const random = randomFrom(51);
  const sign = (): number => (random() < 0.5 ? -1 : 1);
  const logRatio = (): number => sign() * random() * 2 ** (10 * random());
  const length = (): number => Math.floor(random() * 2 ** (10 * random()));
  const randoms = Array.from({ length: 2000 }, () => [logRatio(), logRatio(), length(), length()]);
  const crossed = edges.flatMap((a) => edges.map((c) => [a, c, length(), length()]));
  return [...randoms, ...crossed].map((pair, i) => {
    const x = special[i] ?? sign() * random() * 2 ** (7 - 30 * random() ** 2);
    const e = i < 2 ? i : random() * 2 ** (-30 * random() ** 2);
    return Array.from(Float32Array.from([...pair, x, e])) as never as Input;
  });
}

type Input = readonly [a: number, c: number, chosenLength: number, rejectedLength: number, x: number, e: number];
const inputs = makeInputs();

/** The elementary functions, what they are in float64, and how many units in the last place they may be off. */
const elementary: readonly { call: string; exact: (x: number, e: number) => number; ulps: number }[] = [
  { call: "exp_f32(it.x)", exact: Math.exp, ulps: 1 },
  { call: "exp_neg_abs(it.x)", exact: (x) => Math.exp(-Math.abs(x)), ulps: 1 },
  { call: "expm1(it.x)", exact: Math.expm1, ulps: 2 },
  { call: "log1p(it.e)", exact: (_x, e) => Math.log1p(e), ulps: 2 },
];

// One invocation per input calls everything there is: one vector per case, one per elementary function.
const outputs = cases.length + elementary.length;
const shader = `
${mathWgsl}
${lossesWgsl}
struct Input { a: f32, c: f32, chosenLength: f32, rejectedLength: f32, x: f32, e: f32 }
struct Constants { ${cases.map(({ constants }, i) => `k${i}: array<f32, ${constants.length}>`).join(", ")} }
@group(0) @binding(0) var<storage, read> inputs: array<Input>;
@group(0) @binding(1) var<storage, read> constants: Constants;
@group(0) @binding(2) var<storage, read_write> results: array<array<vec3f, ${outputs}>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&inputs)) { return; }
  let it = inputs[id.x];
  ${cases
    .map(({ kernel }, i) => `${kernel}(it.a, it.c, it.chosenLength, it.rejectedLength, constants.k${i})`)
    .concat(elementary.map(({ call }) => `vec3f(${call})`))
    .map((value, i) => `results[id.x][${i}] = ${value};`)
    .join("\n  ")}
}`;

/** What a compiler has to say about a shader, warnings too. */
async function compile(gpuDevice: GPUDevice, code: string): Promise<{ module: GPUShaderModule; messages: string[] }> {
  const module = gpuDevice.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  return { module, messages: messages.map(({ type, lineNum, message }) => `${type} in line ${lineNum}: ${message}`) };
}

/** Four floats per input and output, the last one padding. */
async function dispatch(gpuDevice: GPUDevice, module: GPUShaderModule): Promise<Float32Array> {
  const { STORAGE = 0, COPY_SRC = 0, COPY_DST = 0, MAP_READ = 0 } = globals.GPUBufferUsage;
  const buffer = (size: number, usage: number): GPUBuffer => gpuDevice.createBuffer({ size, usage });
  const filled = (numbers: readonly number[]): GPUBuffer => {
    const made = buffer(4 * numbers.length, STORAGE | COPY_DST);
    gpuDevice.queue.writeBuffer(made, 0, Float32Array.from(numbers));
    return made;
  };
  const size = 16 * outputs * inputs.length;
  const [results, readable] = [buffer(size, STORAGE | COPY_SRC), buffer(size, COPY_DST | MAP_READ)];
  const bound = [filled(inputs.flat()), filled(cases.flatMap(({ constants }) => constants)), results];
  const pipeline = await gpuDevice.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const entries = bound.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = gpuDevice.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, gpuDevice.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(inputs.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(results, 0, readable, 0, size);
  gpuDevice.queue.submit([encoder.finish()]);
  await readable.mapAsync(globals.GPUMapMode["READ"] ?? 0);
  return new Float32Array(readable.getMappedRange().slice(0));
}
