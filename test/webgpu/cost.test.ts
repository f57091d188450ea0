// What a call costs: its submissions and dispatches.

import { expect, it } from "vitest";
import { createWebGpu } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { randomLinear } from "../support/linear.ts";
import { layouts, randomLogits } from "../support/logits.ts";
import { randomPairs } from "../support/pairs.ts";

const pairs = randomPairs(20, 1);
const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 4, vocab: 33, seed: 2 }));
const deviceOf = async (): Promise<GPUDevice> => (await adapterOfDawn()).requestDevice();

onDawn("the cost of a call", () => {
  it("dispatches and submits as docs/webgpu.md says", async () => {
    const device = await deviceOf();
    const gpu = await createWebGpu({ device });
    let [dispatches, submits] = [0, 0];
    const { queue } = device;
    const submit = queue.submit.bind(queue);
    queue.submit = (buffers) => {
      submits++;
      submit(buffers);
    };
    const create = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => {
      const encoder = create(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = (descriptor) => {
        const pass = begin(descriptor);
        const dispatch = pass.dispatchWorkgroups.bind(pass);
        pass.dispatchWorkgroups = (x, y, z) => {
          dispatches++;
          dispatch(x, y, z);
        };
        return pass;
      };
      return encoder;
    };
    const count = async (call: Promise<unknown>) => {
      [dispatches, submits] = [0, 0];
      await call;
      return { dispatches, submits };
    };
    expect(await count(gpu.pairLoss(pairs))).toEqual({ dispatches: 1, submits: 1 });
    expect(await count(gpu.pairLoss(pairs, { lossType: ["sigmoid", "ipo", "sft"] }))).toEqual({
      dispatches: 1,
      submits: 1,
    });
    expect(await count(gpu.pairLoss(pairs, { lossType: "aot" }))).toEqual({ dispatches: 4, submits: 1 });
    expect(await count(gpu.pairLoss(pairs, { readback: false }))).toEqual({ dispatches: 6, submits: 1 });
    expect(await count(gpu.sequenceLogps(batch))).toEqual({ dispatches: 2, submits: 1 });
    expect(await count(gpu.logitsLoss(batch))).toEqual({ dispatches: 12, submits: 1 });
    const byLogps = { ...batch, reference: { logps: new Float64Array(4) } };
    expect(await count(gpu.logitsLoss(byLogps))).toEqual({ dispatches: 9, submits: 1 });
    expect(await count(gpu.logitsLoss(batch, { readback: false }))).toEqual({ dispatches: 12, submits: 1 });
    expect(await count(gpu.logitsLoss(byLogps, { readback: false }))).toEqual({ dispatches: 9, submits: 1 });
    const head = {
      ...randomLinear({ pairs: 2, length: 4, vocab: 33, width: 8, seed: 3 }),
      reference: byLogps.reference,
    };
    expect(await count(gpu.linearLoss(head))).toEqual({ dispatches: 16, submits: 1 });
    expect(await count(gpu.linearLoss(head, { readback: false }))).toEqual({ dispatches: 16, submits: 1 });
    await gpu.dispose();
    device.destroy();
  });
});
