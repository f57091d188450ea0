// The life of the backend: devices lost, shared, absent; what the device refuses.

import { afterEach, describe, expect, it } from "vitest";
import { AbortError, BackendError, createJs, KindError, ShapeError } from "../../src/index.ts";
import { createWebGpu, hasRealGpu } from "../../src/webgpu.ts";
import { missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "../support/dawn.ts";
import { randomLinear } from "../support/linear.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { randomPairs } from "../support/pairs.ts";

const js = createJs();
const pairs = randomPairs(20, 1);
const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 4, vocab: 33, seed: 2 }));
const deviceOf = async (descriptor?: GPUDeviceDescriptor): Promise<GPUDevice> =>
  (await adapterOfDawn()).requestDevice(descriptor);

afterEach(() => asNavigator(undefined));

describe("without a GPU", () => {
  it("says why there is none", async () => {
    asNavigator(undefined);
    await expect(createWebGpu()).rejects.toMatchObject({ name: "BackendError", code: "unavailable" });
    await expect(createWebGpu()).rejects.toThrow("navigator.gpu");
    asNavigator({ requestAdapter: async () => null } as unknown as GPU);
    await expect(createWebGpu()).rejects.toThrow("expected an adapter, got none");
    expect(await hasRealGpu()).toBe(false);
  });
});

onDawn("the life of a WebGPU backend", () => {
  it("says which GPU it is, and that this one is none", async () => {
    asNavigator(dawn);
    const gpu = await createWebGpu();
    expect(gpu.name).toBe("webgpu");
    expect(gpu.reason).toContain("swiftshader");
    expect(await hasRealGpu()).toBe(false);
    expect(gpu.allocate("f32", 3)).toEqual(new Float32Array(3));
    await gpu.dispose();
    await expect(gpu.pairLoss(pairs)).rejects.toMatchObject({ code: "disposed" });
  });

  it("rejects the call whose device is destroyed, and recovers with a device of its own", async () => {
    asNavigator(dawn);
    const gpu = await createWebGpu();
    const first = gpu.device;
    const call = gpu.logitsLoss(batch);
    const resident = gpu.logitsLoss(batch, { readback: false });
    const fused = gpu.linearLoss(randomLinear({ pairs: 2, length: 4, vocab: 33, width: 8, seed: 3 }));
    await Promise.resolve();
    first.destroy();
    await expect(call).rejects.toBeInstanceOf(BackendError);
    await expect(call).rejects.toMatchObject({ code: "unavailable" });
    await expect(fused).rejects.toMatchObject({ name: "BackendError", code: "unavailable" });
    await resident.then(
      ({ done }) => expect(done).rejects.toBeInstanceOf(BackendError),
      () => {},
    );
    const got = await gpu.pairLoss(pairs);
    expect(gpu.device).not.toBe(first);
    for (const name of vectorNames)
      expect(missesNear(name, got[name], js.pairLoss(pairs)[name], 1e-5, 1e-7)).toEqual([]);
    await gpu.dispose();
  });

  it("leaves the caller's device alone, and does not replace it", async () => {
    const device = await deviceOf();
    const [one, two] = [await createWebGpu({ device }), await createWebGpu({ device })];
    const calls = [one.pairLoss(pairs), two.logitsLoss(batch), one.logitsLoss(batch), two.pairLoss(pairs)];
    const [a, b, c, d] = await Promise.all(calls);
    expect(a?.loss).toBe(d?.loss);
    expect(b?.loss).toBe(c?.loss);
    await one.dispose();
    expect((await two.pairLoss(pairs)).loss).toBe(a?.loss);
    const lost = two.pairLoss(pairs).catch((error: unknown) => error);
    device.destroy();
    await lost;
    await device.lost;
    await expect(two.pairLoss(pairs)).rejects.toMatchObject({ code: "unavailable" });
    await expect(two.pairLoss(pairs)).rejects.toThrow("lost");
    await two.dispose();
  });

  it("makes the same bits again, and no new buffers once it has some", async () => {
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    const want = await gpu.logitsLoss(batch);
    let made = 0;
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      made++;
      return create(descriptor);
    };
    for (let k = 0; k < 5; k++) {
      const got = await gpu.logitsLoss(batch);
      expect(got.loss).toBe(want.loss);
      expect(got.gradLogits).toEqual(want.gradLogits);
    }
    expect(made).toBe(0);
    await gpu.dispose();
    device.destroy();
  });

  it("refuses buffers that are too small, of the wrong usage, of another device", async () => {
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    const bytes = 4 * batch.logits.length;
    const make = (size: number, usage: number, on = device) => on.createBuffer({ size, usage });
    const call = (logits: object) => gpu.logitsLoss({ ...batch, logits } as never);
    await expect(call({ buffer: make(bytes - 4, 0x8c) })).rejects.toBeInstanceOf(ShapeError);
    await expect(call({ buffer: make(bytes, 0x8c), offset: 4 })).rejects.toThrow("logits: expected at least");
    await expect(call({ buffer: make(bytes, 0x8c), offset: 2 })).rejects.toThrow("multiple of 4");
    await expect(call({ buffer: make(bytes, 0xc) })).rejects.toBeInstanceOf(KindError);
    await expect(call({ buffer: make(bytes, 0xc) })).rejects.toThrow("GPUBufferUsage.STORAGE");
    await expect(call({ buffer: {} })).rejects.toBeInstanceOf(KindError);
    const gone = make(bytes, 0x8c);
    gone.destroy();
    await expect(call({ buffer: gone })).rejects.toMatchObject({ name: "BackendError", code: "unavailable" });
    const other = await deviceOf();
    await expect(call({ buffer: make(bytes, 0x8c, other) })).rejects.toMatchObject({ code: "unavailable" });
    const logits = { buffer: make(2 * bytes + 256, 0x8c) };
    const beside = { buffer: logits.buffer, offset: 4 * Math.ceil(bytes / 256) * 64 };
    await expect(gpu.logitsLoss({ ...batch, logits }, { out: { gradLogits: beside } })).rejects.toMatchObject({
      code: "overlap",
    });
    // After all of that it still works.
    expect((await gpu.logitsLoss(batch)).loss).toBeCloseTo(js.logitsLoss(batch).loss, 6);
    await gpu.dispose();
    other.destroy();
    device.destroy();
  });

  it("refuses what every backend refuses, as a rejection, and what it cannot do", async () => {
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    await expect(gpu.pairLoss({ ...pairs, policyChosen: new Float32Array(3) })).rejects.toBeInstanceOf(ShapeError);
    await expect(gpu.pairLoss(pairs, { lossType: "nothing" })).rejects.toMatchObject({ code: "unknown-loss" });
    await expect(gpu.pairLoss(pairs, { signal: AbortSignal.abort("no") })).rejects.toBeInstanceOf(AbortError);
    const later = new AbortController();
    const call = gpu.logitsLoss(batch, { signal: later.signal });
    later.abort("enough");
    await expect(call).rejects.toBeInstanceOf(AbortError);
    const between = new AbortController();
    const submit = device.queue.submit.bind(device.queue);
    device.queue.submit = (buffers) => {
      submit(buffers);
      between.abort("in mid-call");
    };
    for (const call of [
      () => gpu.logitsLoss(batch, { signal: between.signal }),
      () => gpu.pairLoss(pairs, { signal: between.signal }),
    ]) {
      await expect(call()).rejects.toMatchObject({ name: "AbortError", cause: "in mid-call" });
    }
    device.queue.submit = submit;
    const finite = { validate: "finite", readback: false } as const;
    await expect(gpu.logitsLoss(batch, finite)).rejects.toMatchObject({ code: "unused-option" });
    await gpu.dispose();
    device.destroy();
  });
});
