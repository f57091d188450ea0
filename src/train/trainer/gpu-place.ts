// The arrays of a training on the GPU of its backend, from the first step to the last: of a step the norm is read back, and what
// calls say of tokens. All else is read when somebody asks.

import { recordAdamw } from "../../backends/webgpu/adamw.ts";
import { align, isInvalid, makeBuffer, STORAGE_USAGE } from "../../backends/webgpu/buffers.ts";
import { recordClip } from "../../backends/webgpu/clip.ts";
import { writeBuffer } from "../../backends/webgpu/commands.ts";
import { lostError } from "../../backends/webgpu/device.ts";
import { bytesOf } from "../../backends/webgpu/floats.wgsl.ts";
import { openGpu } from "../../backends/webgpu/open.ts";
import { recordEach } from "../../backends/webgpu/optim.ts";
import { eachWgsl } from "../../backends/webgpu/prelude.wgsl.ts";
import { recordSgd } from "../../backends/webgpu/sgd.ts";
import { submit } from "../../backends/webgpu/submit.ts";
import type { WebGpuBackend } from "../../backends/webgpu/webgpu.ts";
import { BackendError } from "../../errors.ts";
import { arrayTypes } from "../../inputs/element-types.ts";
import { type DeviceFloats, decodeFloats, type FloatData, type FloatType, readFloats } from "../../inputs/floats.ts";
import type { Floats } from "../../types.ts";
import { factorsOf } from "../adamw.ts";
import { readSgd } from "../sgd.ts";
import { mostNormOf, type Place, stepOf } from "./place.ts";

/** A buffer of its own, as calls take it. */
interface Held {
  readonly buffer: GPUBuffer;
  readonly offset: 0;
  readonly size: number;
  readonly type: FloatType;
}

/** Bytes that are on their way at a time, where a whole array is read or written. */
const PART = 1 << 26;

const mixWgsl = /* wgsl */ `
struct Params { count: u32, to: u32, other: u32, share: f32, rest: f32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> to: array<f32>;
@group(0) @binding(2) var<storage, read> other: array<f32>;
${eachWgsl("params.count")}
  to[params.to + i] = params.share * other[params.other + i] + params.rest * to[params.to + i];
}`;

const floatsOf = ({ buffer, size, type }: Held): DeviceFloats => {
  return { type, buffer, byteOffset: 0, byteLength: size, length: size / bytesOf(type) };
};

/** On the device that the backend has now: should it get another one after a loss, nothing of the training is there. */
export async function openGpuPlace(backend: WebGpuBackend): Promise<Place<Held>> {
  const gpu = await openGpu({ device: backend.device as GPUDevice });
  const { device } = gpu;
  const held: Held[] = [];
  const copies = new Map<Floats, Held>();
  const scratches = new Map<string, FloatData["data"]>();

  function make(type: FloatType, length: number): Held {
    const size = align(length * bytesOf(type));
    const made: Held = { buffer: makeBuffer(device, size, STORAGE_USAGE), offset: 0, size, type };
    held.push(made);
    return made;
  }

  function write({ buffer }: Held, data: FloatData["data"]): void {
    const part = PART / data.BYTES_PER_ELEMENT;
    // Writing to a buffer that there was no memory for is refused too; `ready` tells of it.
    device.pushErrorScope("validation");
    for (let at = 0; at < data.length; at += part) {
      writeBuffer(device.queue, buffer, at * data.BYTES_PER_ELEMENT, data.subarray(at, at + part));
    }
    device.popErrorScope().catch(() => {});
  }

  function upload(type: FloatType, data: FloatData["data"]): Held {
    const made = make(type, data.length);
    write(made, data);
    return made;
  }

  function check(): void {
    if (gpu.lost === undefined && backend.device === device) return;
    const what = "what was trained on it went with it; resume: true goes on from the newest checkpoint";
    throw lostError(`${gpu.lost ?? "the backend has another one now"}: ${what}`);
  }

  function destroy(list: readonly Held[]): void {
    for (const { buffer } of list) buffer.destroy();
  }

  return {
    isHere: false,
    trained(name, given, { optim }) {
      const [values, grad] = [upload("f32", given), make("f32", given.length)];
      const means = optim === "sgd" ? undefined : { m: make("f32", given.length), v: make("f32", given.length) };
      return { name, values, grad, means };
    },
    copy(floats) {
      if (floats.type === "f32") return upload("f32", floats.data);
      const decoded = new Float32Array(floats.data.length);
      decodeFloats(floats, 0, decoded);
      return upload("f32", decoded);
    },
    fixed(floats, length) {
      const { type, data } = readFloats(floats, "head", length);
      const copy = copies.get(floats) ?? upload(type, data);
      copies.set(floats, copy);
      return copy;
    },
    scratch(name, type, length) {
      const key = `${name} ${type}`;
      const known = scratches.get(key);
      const array = known && known.length >= length ? known : new arrayTypes[type](Math.ceil(1.25 * length));
      scratches.set(key, array);
      return array.subarray(0, length);
    },
    async update(list, lr, taken, train) {
      let norm = Number.NaN;
      await submit(gpu, (commands) => {
        const grads = list.map(({ grad }) => floatsOf(grad));
        commands.read(recordClip(gpu, commands, grads, mostNormOf(train)), (bytes) => {
          [norm = Number.NaN] = new Float32Array(bytes);
        });
        for (const { name, values, grad, means } of list) {
          const step = stepOf(name, lr, train);
          if (means) {
            const arrays = [values, grad, means.m, means.v].map(floatsOf);
            recordAdamw(gpu, commands, arrays, factorsOf(step.adamw, { step: taken }));
          } else {
            recordSgd(gpu, commands, [values, grad].map(floatsOf), readSgd(step.sgd, { step: taken }).numbers);
          }
        }
      });
      return norm;
    },
    mix: (to, from, share) =>
      submit(gpu, (commands) => recordEach(gpu, commands, mixWgsl, [to, from].map(floatsOf), [[share, 1 - share]])),
    async read({ buffer, size }, into = new Float32Array(size / 4)) {
      check();
      for (let offset = 0; offset < size; offset += PART) {
        const range = { buffer, offset, size: Math.min(PART, size - offset) };
        const take = (bytes: ArrayBuffer) => into.set(new Float32Array(bytes), offset / 4);
        await submit(gpu, (commands) => commands.read(range, take));
      }
      return into;
    },
    write,
    check,
    async ready() {
      // Whether there was memory is known once a later scope has resolved.
      device.pushErrorScope("validation");
      await device.popErrorScope().catch((cause: unknown) => {
        throw lostError(gpu.lost ?? "it takes no commands", cause);
      });
      if (!held.some(({ buffer }) => isInvalid(buffer))) return;
      const bytes = held.reduce((sum, { size }) => sum + size, 0);
      throw new BackendError("out-of-memory", `WebGPU: expected memory for ${bytes} bytes of a training, got less`);
    },
    release() {
      destroy(held.splice(0));
      for (const map of [copies, scratches]) map.clear();
      gpu.pool.close();
    },
  };
}
