// Runs of TRL 1.16, reproduced step by step where weights, gradients and the optimiser's state stay on the GPU.

import { afterAll, beforeAll, vi } from "vitest";
import { createWebGpu, type WebGpuBackend } from "../../src/webgpu.ts";
import { adapterOfDawn, onDawn } from "../support/dawn.ts";
import { firstRuns, trlRuns } from "../support/trl-runs.ts";

onDawn("createTrainer on WebGPU", () => {
  // measured: 83 s for the shortest on a software driver, with seven others at the two cores.
  vi.setConfig({ testTimeout: 900_000 });
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await createWebGpu({ adapter: await adapterOfDawn() });
  });
  afterAll(() => gpu.dispose());
  // measured: all seven agree, in seven minutes; the one of three losses stands for them.
  const sample = firstRuns.filter(({ id }) => id === "sigmoid+bco_pair+sft");
  trlRuns((tests) => tests(() => gpu), sample);
});
