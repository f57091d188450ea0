// Optimisers and clipping on buffers against those on arrays: lists of parameters, extremes, small bindings, refusals.

import { afterAll, beforeAll, expect, it } from "vitest";
import { adamw, adamwState, clipGradNorm, type SgdHyper, sgd, sgdState } from "../../src/train.ts";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { missesNear } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { normalFrom } from "../support/logits.ts";

// One that takes several workgroups, one behind 8 bytes of its buffer, one number.
const lengths = [40_001, 1003, 1];

/** Buffers on a device, of some arrays. */
function buffersOf(device: GPUDevice, arrays: readonly Float32Array<ArrayBuffer>[]) {
  return arrays.map((values, i) => {
    const offset = i === 1 ? 8 : 0;
    const buffer = device.createBuffer({ size: offset + values.byteLength, usage: 0x8c });
    device.queue.writeBuffer(buffer, offset, values);
    return { buffer, offset };
  });
}

async function read(device: GPUDevice, { buffer, offset }: { buffer: GPUBuffer; offset: number }) {
  const size = buffer.size - offset;
  const staging = device.createBuffer({ size, usage: 0x9 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  staging.destroy();
  return values;
}

async function misses(
  device: GPUDevice,
  got: readonly { buffer: GPUBuffer; offset: number }[],
  want: readonly Float32Array[],
): Promise<string[]> {
  const found: string[] = [];
  for (const [i, range] of got.entries()) {
    found.push(...missesNear(`[${i}]`, await read(device, range), want[i] as Float32Array, 1e-6, 1e-7));
  }
  return found;
}

onDawn("optimisers on WebGPU", () => {
  let gpu: WebGpuBackend;
  let small: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
    const device = await (await adapterOfDawn()).requestDevice();
    Object.defineProperty(device, "limits", {
      value: { maxStorageBufferBindingSize: 1 << 14, maxBufferSize: 1 << 28, minStorageBufferOffsetAlignment: 256 },
    });
    small = await createWebGpu({ device });
  });
  afterAll(async () => {
    const { device } = small;
    await Promise.all([gpu.dispose(), small.dispose()]);
    device.destroy();
  });

  const normal = normalFrom(11);
  const arrays = () => lengths.map((length) => Float32Array.from({ length }, normal));
  const zeros = () => lengths.map((length) => new Float32Array(length));

  it.each(["large bindings", "small ones"])("adamw, lists of buffers, %s", async (which) => {
    const { device, adamw: step } = which === "small ones" ? small : gpu;
    const params = arrays();
    const state = adamwState(params);
    const [p, m, v] = [buffersOf(device, params), buffersOf(device, zeros()), buffersOf(device, zeros())];
    const there = { step: 0, m, v };
    for (let k = 0; k < 3; k++) {
      const grads = arrays();
      const done = step(p, buffersOf(device, grads), there, { lr: 1e-2, weightDecay: 0.1 });
      adamw(params, grads, state, { lr: 1e-2, weightDecay: 0.1 });
      await done;
    }
    expect([...(await misses(device, p, params)), ...(await misses(device, v, state.v))]).toEqual([]);
    expect(there.step).toBe(3);
  });

  const hypers: SgdHyper[] = [
    { lr: 0.1 },
    { lr: 0.1, weightDecay: 0.2 },
    { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.2 },
    { lr: 0.1, momentum: 0.9, nesterov: true },
  ];
  it.each(hypers)("sgd, %o", async (hyper) => {
    const { device } = gpu;
    const params = arrays();
    const state = sgdState(params);
    const [p, momentumBuffer] = [buffersOf(device, params), buffersOf(device, zeros())];
    const there = { step: 0, momentumBuffer };
    for (let k = 0; k < 3; k++) {
      const grads = arrays();
      await gpu.sgd(p, buffersOf(device, grads), there, hyper);
      sgd(params, grads, state, hyper);
    }
    expect(await misses(device, p, params)).toEqual([]);
    expect(there.step).toBe(3);
  });

  it("sgd without decay does not multiply an infinite parameter with 0", async () => {
    const { device } = gpu;
    const [p] = buffersOf(device, [Float32Array.of(Infinity, 1)]);
    const [g] = buffersOf(device, [Float32Array.of(1, 1)]);
    if (!p || !g) throw new Error("no buffers");
    await gpu.sgd(p, g, { step: 0 }, { lr: 0.5 });
    expect(await read(device, p)).toEqual(Float32Array.of(Infinity, 0.5));
  });

  const scaled = (factor: number) => arrays().map((array) => array.map((x) => factor * x));
  const with1 = (x: number) => {
    const [first = new Float32Array(), ...rest] = arrays();
    first[20_000] = x;
    return [first, ...rest];
  };
  it.each([
    ["clips", arrays(), 1],
    ["leaves alone what is short enough", arrays(), 1e6],
    ["only measures", arrays(), Infinity],
    ["tiny gradients", scaled(1e-25), 1e-24],
    ["huge gradients", scaled(1e25), 1],
    ["one that dwarfs the others", with1(1e20), 3],
    ["none", zeros(), 1],
    ["an infinity", with1(-Infinity), 1],
    ["an infinity, measured", with1(Infinity), Infinity],
    ["a NaN", with1(Number.NaN), 1],
    ["a NaN, measured", with1(Number.NaN), Infinity],
  ])("clipGradNorm: %s", async (_name, grads, most) => {
    for (const { device, clipGradNorm: clip } of [gpu, small]) {
      const own = grads.map((array) => array.slice());
      const g = buffersOf(device, own);
      const norm = await clip(g, most);
      expect(missesNear("norm", [norm], [clipGradNorm(own, most)], 2e-6)).toEqual([]);
      expect(await misses(device, g, own)).toEqual([]);
    }
  });

  it("has the same bits every time", async () => {
    const grads = arrays();
    const norms = [];
    for (let k = 0; k < 3; k++) norms.push(await gpu.clipGradNorm(buffersOf(gpu.device, grads), 1));
    expect(new Set(norms).size).toBe(1);
  });

  it("refuses what arrays are refused for, and buffers that a dispatch cannot have", async () => {
    const { device } = gpu;
    const [p = [], g = [], m = [], v = []] = [0, 1, 2, 3].map(() => buffersOf(device, zeros()));
    const [first, second] = g;
    if (!first || !second) throw new Error("no buffers");
    const state = { step: 0, m, v };
    const refusals: readonly (readonly [Promise<unknown>, string, string])[] = [
      [gpu.adamw(p, g.slice(1), state), "wrong-length", "grads: expected 3 buffers (params), got 2"],
      [gpu.adamw(p, [first, first, first], state), "wrong-length", "grads[1]: expected 4012 bytes (params)"],
      [
        gpu.adamw(p, g, { ...state, v: m }),
        "overlap",
        "state.v[0]: expected memory of its own, got that of state.m[0]",
      ],
      [gpu.adamw(p, p, state), "overlap", "grads[0]"],
      [gpu.adamw(p, g, { ...state, step: -1 }), "out-of-range", "state.step"],
      [gpu.sgd(p, g, { step: 0 }, { momentum: 0.9 }), "missing-input", "state.momentumBuffer"],
      [gpu.sgd(p, new Float32Array(3) as never, { step: 0 }), "wrong-kind", "grads: expected a GPU buffer"],
      [gpu.clipGradNorm([first, first], 1), "overlap", "grads[1]"],
      [gpu.clipGradNorm({ ...first, type: "f16" }, 1), "wrong-kind", "grads.type"],
      [gpu.clipGradNorm(g, 0), "out-of-range", "maxNorm: expected a number above 0, got 0"],
      [gpu.clipGradNorm(g, "1" as never), "wrong-kind", "maxNorm"],
    ];
    for (const [call, code, text] of refusals) {
      const error: unknown = await call.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code });
      expect((error as Error).message).toContain(text);
    }
    const halves = { buffer: second.buffer, offset: 0, size: 256 };
    const rest = { buffer: second.buffer, offset: 256, size: 256 };
    const alone = buffersOf(device, [new Float32Array(64)])[0];
    if (!alone) throw new Error("no buffer");
    await expect(gpu.sgd(halves, rest, { step: 0 })).rejects.toThrow("params, grads: expected buffers of their own");
    expect(state.step).toBe(0);
  });

  it("a step that the device refuses was none", async () => {
    const { device } = gpu;
    const [p, g, m, v] = [0, 1, 2, 3].map(() => buffersOf(device, zeros()));
    const state = { step: 2, m: m ?? [], v: v ?? [] };
    for (const { buffer } of g ?? []) buffer.destroy();
    await expect(gpu.adamw(p ?? [], g ?? [], state)).rejects.toMatchObject({ code: "unavailable" });
    expect(state.step).toBe(2);
  });
});
