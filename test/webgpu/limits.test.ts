// Batches at the limits of a device: bindings that do not hold them, long vocabularies.

import { expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import { missesNear, vectorNames } from "../support/compare.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { randomLinear } from "../support/linear.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { randomPairs } from "../support/pairs.ts";

const js = createJs();
const deviceOf = async (): Promise<GPUDevice> => (await adapterOfDawn()).requestDevice();

onDawn("limits of a device", () => {
  it("splits batches over a binding limit that is small", async () => {
    // No device has limits this small: the backend is told that this one has. 60 rows of 33 logits are a piece.
    const device = await deviceOf();
    Object.defineProperty(device, "limits", {
      value: { maxStorageBufferBindingSize: 1 << 13, maxBufferSize: 1 << 28, minStorageBufferOffsetAlignment: 256 },
    });
    const gpu = await createWebGpu({ device });
    const { batch: big } = layouts.padded(randomLogits({ pairs: 2, length: 30, vocab: 33, seed: 4 }));
    const want = js.logitsLoss(big, { metrics: "full" });
    const buffer = device.createBuffer({ size: 4 + 4 * big.logits.length, usage: 0x8c });
    device.queue.writeBuffer(buffer, 4, big.logits as Float32Array<ArrayBuffer>);
    for (const given of [big, { ...big, logits: { buffer, offset: 4 } }]) {
      const got = await gpu.logitsLoss(given, { metrics: "full" });
      expect(missesNear("tokenLogps", got.tokenLogps, want.tokenLogps, 2.5e-7, 2e-6)).toEqual([]);
      expect(
        missesNear("gradLogits", got.gradLogits as Float32Array, want.gradLogits as Float32Array, 1e-5, 1e-7),
      ).toEqual([]);
      const stays = await gpu.logitsLoss(given, { readback: false });
      await stays.done;
      stays.destroy();
    }
    const got = await gpu.pairLoss(randomPairs(1000, 3));
    const wanted = js.pairLoss(randomPairs(1000, 3));
    for (const name of vectorNames) expect(missesNear(name, got[name], wanted[name], 1e-5, 1e-7)).toEqual([]);
    await gpu.dispose();
    device.destroy();
  });

  it("takes a batch just over the binding limit, V = 151,936", async () => {
    // 128 MiB hold 220 rows; the buffer is zero, so that every log-prob is -ln V.
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    const [vocab, length] = [151_936, 112];
    const logits = { buffer: device.createBuffer({ size: 8 * length * vocab, usage: 0x8c }) };
    const completionMask = new Uint8Array(2 * length).map((_, at) => Number(at % length > length - 3));
    const tokens = { pairs: 1, length, inputIds: new Int32Array(2 * length).fill(5), completionMask };
    const options = { inPlace: true, readback: false, referenceFree: true } as const;
    const got = await gpu.logitsLoss({ tokens, vocab, logits }, options);
    const places = [length - 2, 2 * length - 2].flatMap((row) => [4, 5].map((v) => 4 * (row * vocab + v)));
    const staging = device.createBuffer({ size: 16 + 8 * length, usage: 0x9 });
    const encoder = device.createCommandEncoder();
    places.forEach((at, k) => {
      encoder.copyBufferToBuffer(logits.buffer, at, staging, 4 * k, 4);
    });
    encoder.copyBufferToBuffer(got.tokenLogps.buffer, 0, staging, 16, 8 * length);
    device.queue.submit([encoder.finish()]);
    await got.done;
    await staging.mapAsync(1);
    const [a, b, c, d, ...logps] = new Float32Array(staging.getMappedRange());
    const g = -0.05;
    const p = 1 / vocab;
    expect(missesNear("gradient", [a, b, c, d] as number[], [-g * p, g - g * p, g * p, g * p - g], 1e-5)).toEqual([]);
    const want = [...completionMask.slice(1), 0].map((bit) => -bit * Math.log(vocab));
    expect(missesNear("tokenLogps", logps, want, 1e-7)).toEqual([]);
    await gpu.dispose();
    device.destroy();
  });

  it("takes a head of V = 151,936", async () => {
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    const call = randomLinear({ pairs: 1, length: 3, vocab: 151_936, width: 8, seed: 6 });
    const [got, want] = [await gpu.linearLoss(call), js.linearLoss(call)];
    for (const name of ["gradHidden", "gradWeight"] as const) {
      const most = (want[name] as Float32Array).reduce((size, x) => Math.max(size, Math.abs(x)), 0);
      expect(missesNear(name, got[name] as Float32Array, want[name] as Float32Array, 0, 5e-5 * most)).toEqual([]);
    }
    expect(missesNear("logps", got.logps, want.logps, 1e-6)).toEqual([]);
    await gpu.dispose();
    device.destroy();
  });

  it("refuses what is more than a buffer holds, without a word on the console", async () => {
    const device = await deviceOf();
    const noise: string[] = [];
    device.addEventListener("uncapturederror", ({ error }) => noise.push(error.message));
    const gpu = await createWebGpu({ device });
    const [vocab, rows] = [1 << 20, 256];
    const tokens = { pairs: 1, offsets: Int32Array.of(0, 1, rows), targets: new Int32Array(rows) };
    // Half as many bytes as the gradient in float32.
    const logits = { buffer: device.createBuffer({ size: 4, usage: 0x8c }), type: "f16" } as const;
    Object.defineProperty(logits.buffer, "size", { value: 2 * vocab * rows });
    const options = { readback: false, gradType: "f32", referenceFree: true } as const;
    const call = gpu.logitsLoss({ tokens, vocab, logits }, options);
    await expect(call).rejects.toMatchObject({ name: "BackendError", code: "out-of-memory" });
    await expect(call).rejects.toThrow(`got ${4 * vocab * rows}`);
    expect(noise).toEqual([]);
    await gpu.dispose();
    device.destroy();
  });
});
