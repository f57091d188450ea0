// Parts of a call: what they upload is free again once it is much, and nothing of it is mixed up.

import { expect, it } from "vitest";
import { createPool } from "../../src/backends/webgpu/buffers.ts";
import { openDevice } from "../../src/backends/webgpu/device.ts";
import { submit } from "../../src/backends/webgpu/submit.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";

onDawn("parts of a call", () => {
  it("are submitted by 128 MiB of uploads, whose buffers later parts take", async () => {
    const opened = await openDevice({ adapter: await adapterOfDawn() });
    const gpu = Object.assign(opened, { pool: createPool(opened.device) });
    const { device } = gpu;
    let [made, submissions] = [0, 0];
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      if (descriptor.size > 1 << 24) made++;
      return create(descriptor);
    };
    const send = device.queue.submit.bind(device.queue);
    device.queue.submit = (buffers) => {
      submissions++;
      send(buffers);
    };
    const got: number[] = [];
    await submit(gpu, (commands) => {
      const all = commands.scratch(4 * 7);
      const tag = commands.upload(Float32Array.of(-1));
      for (let k = 0; k < 7; k++) {
        commands.part(() => {
          const own = commands.upload(new Float32Array(1 << 23).fill(k));
          commands.copy({ ...own, size: 4 }, { ...all, offset: 4 * k });
        });
      }
      // Uploaded before the parts, and for the whole call.
      commands.read(tag, (bytes) => got.push(...new Float32Array(bytes)));
      commands.read(all, (bytes) => got.push(...new Float32Array(bytes)));
    });
    expect(got).toEqual([-1, 0, 1, 2, 3, 4, 5, 6]);
    // Seven of 32 MiB: four make 128, three are left.
    expect({ submissions, made }).toEqual({ submissions: 2, made: 4 });
    gpu.pool.close();
    device.destroy();
  });
});
