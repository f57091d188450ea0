// Run by Deno, whose WebGPU compiles shaders with Naga: every shader, against the js backend. Prints what misses, as JSON.

import type { LossType } from "../../src/index.ts";
import type { LogitsLossOptions, Tokens } from "../../src/types.ts";
import type { GpuRange } from "../../src/webgpu.ts";

const dist = new URL("../../dist/", import.meta.url);
const { createJs, lossTypes } = (await import(`${dist}index.js`)) as typeof import("../../src/index.ts");
const { createWebGpu } = (await import(`${dist}webgpu.js`)) as typeof import("../../src/webgpu.ts");

const adapter = await navigator.gpu?.requestAdapter();
if (!adapter) {
  console.log(JSON.stringify({ missing: "Deno finds no adapter: apt-get install mesa-vulkan-drivers" }));
} else {
  console.log(JSON.stringify(await compare(adapter)));
}

async function compare(adapter: GPUAdapter): Promise<{ reason: string; compared: number; misses: string[] }> {
  const gpu = await createWebGpu({ adapter });
  const js = createJs();
  const found: string[] = [];
  let compared = 0;
  let state = 1;
  const random = (): number => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
  const numbers = (n: number, scale: number): Float32Array => Float32Array.from({ length: n }, () => scale * random());
  const counts = (n: number): Float32Array => numbers(n, 20).map(Math.ceil);
  const near = (name: string, got: ArrayLike<number>, want: ArrayLike<number>): void => {
    compared++;
    const most = Array.from(want).reduce((size, x) => Math.max(size, Math.abs(x)), 1e-9);
    for (let i = 0; i < want.length; i++) {
      if (Math.abs((got[i] as number) - (want[i] as number)) <= 1e-5 * most) continue;
      found.push(`${name}[${i}]: got ${got[i]}, want ${want[i]}`);
      return;
    }
  };
  const floatsOf = async ({ buffer, offset, size }: GpuRange): Promise<Float32Array> => {
    const staging = gpu.device.createBuffer({ size, usage: 0x9 });
    const encoder = gpu.device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    gpu.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    return new Float32Array(staging.getMappedRange().slice(0));
  };

  for (const count of [7, 1100]) {
    const pairs = {
      policyChosen: numbers(count, -50),
      policyRejected: numbers(count, -50),
      referenceChosen: numbers(count, -50),
      referenceRejected: numbers(count, -50),
      chosenLengths: counts(count),
      rejectedLengths: counts(count),
    };
    const plain = lossTypes.map((lossType: LossType) => ({ lossType }));
    const diverged = ["forward_kl", "js_divergence", "alpha_divergence"] as const;
    for (const options of [...plain, ...diverged.map((fDivergence) => ({ fDivergence }))]) {
      const [got, want] = [await gpu.pairLoss(pairs, options), js.pairLoss(pairs, options)];
      const there = await gpu.pairLoss(pairs, { ...options, readback: false });
      for (const name of ["losses", "gradChosen", "gradRejected"] as const) {
        near(`${JSON.stringify(options)} ${name}`, got[name], want[name]);
        near(`${JSON.stringify(options)} ${name} there`, await floatsOf(there[name]), want[name]);
      }
    }
  }

  const length = 5;
  for (const vocab of [33, 20_001]) {
    const tokens: Tokens = {
      pairs: 2,
      length,
      inputIds: Int32Array.from({ length: 4 * length }, () => Math.floor(vocab * random())),
      completionMask: Uint8Array.from({ length: 4 * length }, (_, at) => Number(at % length > 1)),
    };
    const batch = { tokens, vocab, logits: numbers(4 * length * vocab, 9) };
    const reference = { logits: numbers(4 * length * vocab, 9) };
    const sets: LogitsLossOptions[] = [{ lossType: ["sigmoid", "aot", "sft"] }, { weighting: "wpo", ldAlpha: 0.5 }];
    for (const options of sets) {
      const [got, want] = [
        await gpu.logitsLoss({ ...batch, reference }, options),
        js.logitsLoss({ ...batch, reference }, options),
      ];
      const there = await gpu.logitsLoss({ ...batch, reference }, { ...options, readback: false });
      for (const name of ["losses", "tokenLogps", "logps"] as const) {
        near(`${name}, V ${vocab}`, got[name], want[name]);
        near(`${name} there, V ${vocab}`, await floatsOf(there[name]), want[name]);
      }
      near(`gradLogits, V ${vocab}`, got.gradLogits as Float32Array, want.gradLogits as Float32Array);
      near(`gradLogits there, V ${vocab}`, await floatsOf(there.gradLogits), want.gradLogits as Float32Array);
    }
    // Bits below those of the infinities.
    const bits = new Uint16Array(batch.logits.length).map(() => Math.floor(random() * 0x4800));
    for (const type of ["f16", "bf16"] as const) {
      const halves = { ...batch, logits: { [type]: bits } as never, reference: { logps: new Float64Array(4) } };
      const [got, want] = [await gpu.logitsLoss(halves), js.logitsLoss(halves)];
      near(`${type}, V ${vocab}`, got.tokenLogps, want.tokenLogps);
    }
  }

  const head = {
    tokens: { pairs: 1, offsets: Int32Array.of(0, 3, 6), targets: Int32Array.of(1, 2, 3, 4, 5, 6) },
    vocab: 500,
    hiddenSize: 24,
    hidden: numbers(6 * 24, 1),
    weight: numbers(500 * 24, 1),
    bias: numbers(500, 1),
    reference: { logps: new Float64Array(2) },
  };
  const [got, want] = [await gpu.linearLoss(head), js.linearLoss(head)];
  for (const name of ["gradHidden", "gradWeight", "gradBias"] as const) {
    near(name, got[name] as Float32Array, want[name] as Float32Array);
  }
  const { reason } = gpu;
  await gpu.dispose();
  return { reason, compared, misses: found };
}
