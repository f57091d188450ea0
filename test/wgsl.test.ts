// The printed WGSL on Dawn, against the definitions in float64: every function of losses.gen.ts and its math.
//
// No GPU is needed: SwiftShader, the software driver that comes with Debian's chromium, rounds correctly, never fuses.
// VK_ICD_FILENAMES chooses another. Without a driver the tests are skipped; where CI is set that is a failure.

import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lossesWgsl } from "../src/backends/webgpu/losses.gen.ts";
import { mathWgsl } from "../src/backends/webgpu/math.wgsl.ts";
import type { LossRecord } from "../src/losses/kinds.ts";
import { type KernelName, kernelConstants } from "../src/plan/constants.gen.ts";
import { jsAnchored, jsDivergence, type Margin, margins, reverseKl } from "../src/plan/divergences.ts";
import { kernelOf } from "../src/plan/kernel-of.ts";
import { printWgsl } from "../src/print/wgsl.ts";
import { excessOver, misses } from "./support/compare.ts";
import { randomFrom } from "./support/pairs.ts";
import { pairKernel } from "./support/printed.ts";
import { plainVariants, rowVariants, tunedVariants } from "./support/variants.ts";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";
const INSTALL = "apt-get install -y --no-install-recommends chromium libvulkan1";

interface Dawn {
  create(options: string[]): GPU;
  globals: Record<"GPUBufferUsage" | "GPUMapMode", Record<string, number>>;
}

interface Opened extends Pick<Dawn, "globals"> {
  device: GPUDevice;
}

// The package's types repeat those of lib.dom and clash with them: imported by a name that tsc does not follow.
async function openDawn(name: string): Promise<Opened | undefined> {
  if (!process.env["VK_ICD_FILENAMES"] && existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  const { create, globals } = (await import(name)) as Dawn;
  const gpu = create([]);
  // A device whose GPU object is collected crashes the process.
  Object.assign(globalThis, { gpuOfTests: gpu });
  const adapter = await gpu.requestAdapter();
  return adapter ? { globals, device: await adapter.requestDevice() } : undefined;
}

const dawn = await openDawn("webgpu").catch((error: unknown): undefined => void console.warn(error));
const missing = dawn ? "" : `Dawn finds no Vulkan driver: ${INSTALL}`;
afterAll(() => dawn?.device.destroy());

type Pair = readonly [a: number, c: number, chosenLength: number, rejectedLength: number, rewardMargin: number];

/** One function with one set of hyperparameters. */
interface Case {
  name: string;
  kernel: KernelName;
  constants: readonly number[];
  exact: (...pair: Pair) => readonly number[];
  /** The size of the parts that may cancel: in the first result, in the two derivatives. */
  parts: (...pair: Pair) => readonly [value: number, slope: number];
}

const GRAD_SCALE = 0.375;

const constantsOf = (kernel: KernelName, params: readonly number[]): readonly number[] =>
  (kernelConstants[kernel] as (...params: number[]) => readonly number[])(...params);

const exactly =
  (loss: LossRecord, params: readonly number[]): Case["exact"] =>
  (a, c, chosenLength, rejectedLength, rewardMargin) => {
    if (loss.kind === "likelihood") throw new Error("a likelihood has no kernel");
    if (loss.kind === "row") {
      const [value, slope] = loss.formula(a, c, ...params);
      return [value, GRAD_SCALE * slope, 0];
    }
    const given = [...loss.columns.map(() => rewardMargin), ...params];
    const [d, da, dc] = loss.perToken ? reverseKl(a, c, chosenLength, rejectedLength) : [a - c, 1, -1];
    if (loss.kind === "pair") {
      const [value, slopeA, slopeC] = loss.formula(a * da, c * -dc, ...given);
      return [value, GRAD_SCALE * slopeA * da, GRAD_SCALE * slopeC * -dc];
    }
    const [value, slope] = loss.formula(d, ...given);
    return [value, GRAD_SCALE * slope * da, GRAD_SCALE * slope * dc];
  };

const lossCases = [...plainVariants, ...tunedVariants, ...rowVariants].flatMap(({ name, loss, options }): Case[] => {
  if (loss.batch) return [];
  const kernel = kernelOf(loss) as KernelName;
  const params = Object.entries(loss.params).map(([key, param]) => Number(options[key as "beta"] ?? param.default));
  const parts = [1, GRAD_SCALE * (options.beta ?? 0.1)] as const;
  const constants = constantsOf(kernel, [GRAD_SCALE, ...params]);
  return [{ name, kernel, constants, exact: exactly(loss, params), parts: () => parts }];
});

const marginCase = (kernel: KernelName, margin: Margin, params: number[], parts: Case["parts"]): Case => ({
  name: [kernel, ...params].join(" "),
  kernel,
  constants: constantsOf(kernel, params),
  exact: (a, c, chosenLength, rejectedLength) => margin(a, c, chosenLength, rejectedLength, ...params),
  parts,
});

// e^M/k times the terms that the difference of powers is made of; those with 1/lengths vanish where the lengths agree.
const powerCase = (
  k: number,
  cap: number,
  id: "power" | "power_anchored" | "alphapo" | "alphapo_mean" = "power",
): Case =>
  marginCase(
    `margin_${id}`,
    margins[id],
    id.startsWith("alphapo") ? [k, 1, 1] : [k, cap, 1, 1],
    (a, c, chosenLength, rejectedLength) => {
      const lengths = [1 / Math.max(chosenLength, 1), 1 / Math.max(rejectedLength, 1)] as const;
      const [[n, m], [x, y]] =
        id === "alphapo_mean"
          ? ([
              [1, 1],
              [a * lengths[0], c * lengths[1]],
            ] as const)
          : ([id === "alphapo" ? [1, 1] : lengths, [a, c]] as const);
      const [s, t] = [Math.min(k * x, cap), Math.min(k * y, cap)];
      const most = Math.max(s, t);
      const terms = Math.abs(Math.expm1(s - most) * n) + Math.abs(Math.expm1(t - most) * m) + (n === m ? 0 : n + m);
      return [Math.max(1, (Math.exp(most) * terms) / Math.abs(k)), 1];
    },
  );

const cases: readonly Case[] = [
  ...lossCases,
  marginCase("margin_js", jsDivergence, [], () => [1, 1]),
  powerCase(-1, Infinity),
  ...[-1, -0.5, 1, -1e-3, 1e-3, 1e-5].map((k) => powerCase(k, 80)),
  marginCase("margin_js_anchored", jsAnchored, [], () => [1, 1]),
  powerCase(-1, Infinity, "power_anchored"),
  ...[-1, -0.5, 1, -1e-3, 1e-3, 1e-5].map((k) => powerCase(k, 80, "power_anchored")),
  ...[-2, -0.25, 0.6, -1e-3, 1e-5].map((k) => powerCase(k, Infinity, "alphapo_mean")),
  ...[-0.5, 0.6, -1e-3].map((k) => powerCase(k, Infinity, "alphapo")),
];

/** What is logged is reckoned on the host. */
const onHost = ["margin_own_means", "margin_own_rewards", "margin_log_odds"];

/** Those that only processors have: WebGPU computes them by the kernel that they are variants of. */
const onProcessors = ["pair_sigmoid_unsmoothed"];

/** The elementary functions, what they are in float64, and how many units in the last place they may be off. */
const elementary: readonly { call: string; exact: (x: number, e: number) => number; ulps: number }[] = [
  { call: "exp_f32(it.x)", exact: Math.exp, ulps: 1.1 },
  { call: "exp_neg_abs(it.x)", exact: (x) => Math.exp(-Math.abs(x)), ulps: 1.1 },
  { call: "expm1(it.x)", exact: Math.expm1, ulps: 2 },
  { call: "log_f32(2.0 + abs(it.x))", exact: (x) => Math.log(2 + Math.abs(x)), ulps: 4 },
  { call: "softplus_log(abs(it.x))", exact: (x) => Math.log1p(Math.abs(x)), ulps: 4 },
  { call: "log1p(it.e)", exact: (_x, e) => Math.log1p(e), ulps: 1.5 },
];

// Random pairs, then every two of the edge values: β·a and β·c up to 1e4, ties, zeros; some completions are empty. With
// each pair go an x, and an e in [0, 1], for the elementary functions.
const edges = [0, 1e-3, 0.5, 1, 10, 50, 88, 100, 710, 1e3, 1e4].flatMap((z) => [z / 0.1, -z / 0.1]);
const special = [0, 17.4, 86.9, 87.1, 87.4, 88.722, 88.723, 88.9, 1e4, 3e38].flatMap((x) => [x, -x]);

type Input = readonly [...Pair, x: number, e: number];

// Every third is near β·(a − c), where the losses of reward margins have their zero.
const rewardMargins = [0, 1, -0.3, 8, -20, 100, 0.01];

function makeInputs(): Input[] {
  const random = randomFrom(51);
  const either = (): number => (random() < 0.5 ? -1 : 1);
  const logRatio = (): number => either() * random() * 2 ** (10 * random());
  const length = (): number => Math.floor(random() * 2 ** (10 * random()));
  const randoms = Array.from({ length: 2000 }, () => [logRatio(), logRatio()]);
  const crossed = edges.flatMap((a) => edges.map((c) => [a, c]));
  return [...randoms, ...crossed].map((logRatios, i) => {
    const x = special[i] ?? either() * random() * 2 ** (7 - 30 * random() ** 2);
    const e = i < 2 ? i : random() * 2 ** (-30 * random() ** 2);
    const rewardMargin =
      i % 3 === 0 ? 0.1 * ((logRatios[0] as number) - (logRatios[1] as number)) : (rewardMargins[i % 7] ?? 0);
    return Array.from(Float32Array.from([...logRatios, length(), length(), rewardMargin, x, e])) as never as Input;
  });
}

const inputs = makeInputs();

// One invocation for each input calls all there is: an output for each case, then one for each elementary function.
const outputs = cases.length + elementary.length;
const calls = [
  ...cases.map(
    ({ kernel }, i) => `${kernel}(it.a, it.c, it.chosenLength, it.rejectedLength, it.rewardMargin, constants.k${i})`,
  ),
  ...elementary.map(({ call }) => `vec3f(${call})`),
];
const shader = `
${mathWgsl}
${lossesWgsl}
struct Input { a: f32, c: f32, chosenLength: f32, rejectedLength: f32, rewardMargin: f32, x: f32, e: f32 }
struct Constants { ${cases.map(({ constants }, i) => `k${i}: array<f32, ${constants.length}>`).join(", ")} }
@group(0) @binding(0) var<storage, read> inputs: array<Input>;
@group(0) @binding(1) var<storage, read> constants: Constants;
@group(0) @binding(2) var<storage, read_write> results: array<array<vec3f, ${outputs}>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= arrayLength(&inputs)) { return; }
  let it = inputs[id.x];
  ${calls.map((call, i) => `results[id.x][${i}] = ${call};`).join("\n  ")}
}`;

/** A compiled shader and all that the compiler says of it, warnings too. */
async function compile(device: GPUDevice, code: string): Promise<{ module: GPUShaderModule; messages: string[] }> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  await device.popErrorScope();
  return { module, messages: messages.map(({ type, lineNum, message }) => `${type} in line ${lineNum}: ${message}`) };
}

/** Three numbers and one of padding for each output of each input. */
async function dispatch({ device, globals }: Opened, module: GPUShaderModule): Promise<Float32Array<ArrayBuffer>> {
  const { STORAGE = 0, COPY_SRC = 0, COPY_DST = 0, MAP_READ = 0 } = globals.GPUBufferUsage;
  const filled = (numbers: readonly number[]): GPUBuffer => {
    const buffer = device.createBuffer({ size: 4 * numbers.length, usage: STORAGE | COPY_DST });
    device.queue.writeBuffer(buffer, 0, Float32Array.from(numbers));
    return buffer;
  };
  const size = 16 * outputs * inputs.length;
  const results = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
  const readable = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  const buffers = [filled(inputs.flat()), filled(cases.flatMap(({ constants }) => constants)), results];
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(inputs.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(results, 0, readable, 0, size);
  device.queue.submit([encoder.finish()]);
  await readable.mapAsync(globals.GPUMapMode["READ"] ?? 0);
  return new Float32Array(readable.getMappedRange().slice(0));
}

const FLOAT32_MAX = 3.4028234663852886e38;

/** The largest distance between `want` and the answers for log-ratios moved by 2^-23, each alone. */
function sensitivity(exact: (a: number, c: number) => number, a: number, c: number, want: number): number {
  const moved = [1 - 2 ** -23, 1 + 2 ** -23].flatMap((by) => [exact(a * by, c), exact(a, c * by)]);
  return Math.max(0, ...moved.map((answer) => Math.abs(answer - want)).filter(Number.isFinite));
}

// e^M overflows before it is divided by a length of up to 1024: so near the end of float32, and beyond, ∞ is right.
const overflows = (got: number, want: number): boolean =>
  Math.abs(want) > FLOAT32_MAX / 1024 && Math.abs(got) === Infinity && Math.sign(got) === Math.sign(want);

/** One result of a case for all inputs: 1e-6 of itself, 4e-7 of its parts, what rounding the log-ratios twice moves. */
function missesOfCase({ exact, parts }: Case, got: Float32Array, which: 0 | 1 | 2): string[] {
  const answer = (pair: Pair): number => exact(...pair)[which] as number;
  const pairs = inputs.map(([a, c, ...columns]): Pair => [a, c, columns[0], columns[1], columns[2]]);
  return misses(["value", "da", "dc"][which] as string, got, pairs.map(answer), (g, want, i) => {
    const pair = pairs[i] as Pair;
    const [a, c, ...lengths] = pair;
    // ORPO has no loss for positive log-probs.
    if (overflows(g, want) || Number.isNaN(exact(...pair)[0])) return 0;
    const moves = sensitivity((a, c) => answer([a, c, ...lengths]), a, c, want);
    return excessOver(1e-6 * Math.abs(want) + 4e-7 * parts(...pair)[which === 0 ? 0 : 1] + 2 * moves, g, want);
  });
}

/** The distance of neighbours in float32 at x. */
const ulp = (x: number): number => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23);

/** Below this the exponentials are an exact 0: no denormals. */
const EXP_IS_ZERO = 2 ** -125.5;

// Reporters fold a file that is skipped as a whole.
const title = missing ? `WGSL (skipped: ${missing})` : "WGSL";
if (missing) console.warn(title);
if (missing && process.env["CI"]) it("WGSL is tested where CI is set", () => expect.fail(missing));

describe.skipIf(missing)(title, () => {
  // The body of a skipped suite runs too.
  const opened = dawn as Opened;
  let compiled: Awaited<ReturnType<typeof compile>>;
  let results = new Float32Array();

  beforeAll(async () => {
    compiled = await compile(opened.device, shader);
    if (compiled.messages.length === 0) results = await dispatch(opened, compiled.module);
  }, 60_000);

  /** One of the numbers of one output, for all inputs. */
  const column = (output: number, which: number): Float32Array =>
    Float32Array.from(inputs, (_, i) => results[4 * (i * outputs + output) + which] as number);

  it("compiles without a word, and has a case for every function", () => {
    expect(compiled.messages).toEqual([]);
    expect(new Set(cases.map(({ kernel }) => kernel))).toEqual(
      new Set(Object.keys(kernelConstants).filter((name) => ![...onHost, ...onProcessors].includes(name))),
    );
    expect(cases.filter(({ kernel }) => !lossesWgsl.includes(`fn ${kernel}(`))).toEqual([]);
  });

  describe("keeps 1e-6 of a result or 4e-7 of its parts", () => {
    // Measured: 0.64 of that (discopop, whose slope has parts of 1/(4τ) = 5), 0.31 or less elsewhere.
    it.each(cases.map((one, output) => ({ ...one, output })))("$name", ({ output, ...one }) => {
      expect(([0, 1, 2] as const).flatMap((which) => missesOfCase(one, column(output, which), which))).toEqual([]);
    });
  });

  it.each(elementary.map((one, k) => ({ ...one, k })))("$call keeps $ulps ulp", ({ exact, ulps, k }) => {
    const want = inputs.map(([, , , , , x, e]) => exact(x, e));
    const lines = misses("at", column(cases.length + k, 0), want, (g, w) => {
      if (overflows(g, w) && w > FLOAT32_MAX) return 0;
      return g === 0 && w >= 0 && w < EXP_IS_ZERO ? 0 : excessOver(ulps * ulp(w), g, w);
    });
    expect(lines).toEqual([]);
  });

  it("takes a definition whose names mean something in WGSL", async () => {
    const hostile = pairKernel(`(a, c) => {
      const target = a * c;
      const target1 = target + a;
      const k = target * target1;
      const expm1 = Math.exp(k);
      const select = expm1 > k ? target : k;
      return [a + c + select * Math.expm1(target), target1 * k, expm1];
    }`);
    const [, text = ""] = printWgsl([hostile]).match(/wgsl \*\/ `(.*)`/s) ?? [];
    expect(text).toContain("fn pair_tested");
    expect((await compile(opened.device, mathWgsl + text)).messages).toEqual([]);
  });
});
