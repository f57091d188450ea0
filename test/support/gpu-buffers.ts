// Arrays to buffers of a device, and back.

import type { GpuRange } from "../../src/webgpu.ts";

const [COPY, READ] = [0x8c, 0x9]; // STORAGE | COPY_SRC | COPY_DST; MAP_READ | COPY_DST

/** A buffer that holds the array from byte `offset` on. */
export function toBuffer(device: GPUDevice, array: ArrayBufferView, offset = 0): { buffer: GPUBuffer; offset: number } {
  const size = offset + Math.ceil(array.byteLength / 4) * 4;
  const buffer = device.createBuffer({ size, usage: COPY, mappedAtCreation: true });
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  new Uint8Array(buffer.getMappedRange()).set(bytes, offset);
  buffer.unmap();
  return { buffer, offset };
}

export async function bytesOf(device: GPUDevice, { buffer, offset, size }: GpuRange): Promise<ArrayBuffer> {
  const whole = Math.ceil(size / 4) * 4;
  const staging = device.createBuffer({ size: whole, usage: READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, offset, staging, 0, whole);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const bytes = staging.getMappedRange().slice(0, size);
  staging.destroy();
  return bytes;
}

export const floatsOf = async (device: GPUDevice, range: GpuRange): Promise<Float32Array> =>
  new Float32Array(await bytesOf(device, range));
