// Reductions over a workgroup: with subgroups and without, wherever a subgroup's lanes are, and where subgroups are wrong.

import { afterEach, expect, it } from "vitest";
import { createJs } from "../../src/index.ts";
import { createWebGpu } from "../../src/webgpu.ts";
import { missesNear } from "../support/compare.ts";
import { adapterOfDawn, asNavigator, dawn, onDawn } from "../support/dawn.ts";
import { layouts, randomLogits } from "../support/logits.ts";

// Two chunks of a row, the second one ragged.
const { batch } = layouts.padded(randomLogits({ pairs: 2, length: 5, vocab: 20_011, seed: 5 }));
const want = createJs().sequenceLogps(batch, { metrics: "full", entropy: true });

/** A device whose shaders are changed on their way, and those that reduce. */
async function deviceOf(features: readonly string[], change = (code: string) => code) {
  const device = await (await adapterOfDawn()).requestDevice({ requiredFeatures: features as GPUFeatureName[] });
  const create = device.createShaderModule.bind(device);
  const reducing: string[] = [];
  device.createShaderModule = ({ code }) => {
    const changed = change(code);
    if (code.includes("fn reduce_add")) reducing.push(changed);
    return create({ code: changed });
  };
  return { device, reducing };
}

async function expectRight(device: GPUDevice): Promise<string> {
  const gpu = await createWebGpu({ device });
  const got = await gpu.sequenceLogps(batch, { metrics: "full", entropy: true });
  expect(missesNear("tokenLogps", got.tokenLogps, want.tokenLogps, 2e-6, 2e-6)).toEqual([]);
  expect(missesNear("entropy", got.entropy, want.entropy, 1e-5, 1e-5)).toEqual([]);
  gpu.dispose();
  return gpu.reason;
}

/** The lanes of a subgroup at a distance of 64 from one another, as if it were a column. */
const inColumns = (code: string): string =>
  code
    .replace("@builtin(local_invocation_index) lane: u32", "@builtin(local_invocation_index) given_lane: u32")
    .replace(/fn main\([^)]*(?:\([^)]*\)[^)]*)*\) \{/, "$& let lane = given_lane % 4u * 64u + given_lane / 4u;");

afterEach(() => asNavigator(undefined));

onDawn("reductions", () => {
  it("take no subgroups from a device without them", async () => {
    const { device, reducing } = await deviceOf([]);
    expect(await expectRight(device)).toMatch(/the caller's device$/);
    expect(reducing).toHaveLength(1);
    expect(reducing[0]).not.toContain("enable subgroups");
  });

  it.for([
    ["number subgroups themselves", undefined, undefined],
    ["number subgroups themselves, whatever lanes they have", undefined, inColumns],
    ["use subgroup_id where WGSL has it", dawn, undefined],
    ["use subgroup_id, whatever lanes subgroups have", dawn, inColumns],
  ] as const)("%s", async ([, gpu, change]) => {
    asNavigator(gpu);
    const { device, reducing } = await deviceOf(["subgroups"], change);
    expect(await expectRight(device)).toMatch(/the caller's device$/);
    // The self-test, and the forward pass.
    expect(reducing).toHaveLength(2);
    for (const code of reducing) {
      expect(code).toContain("enable subgroups");
      expect(code.includes("requires subgroup_id")).toBe(gpu !== undefined);
      if (change) expect(code).toContain("let lane = given_lane");
    }
  });

  it.for([
    ["wrong sums", "gave wrong results", (code: string) => code.replaceAll("subgroupAdd(", "subgroupMax(")],
    ["a maximum of one lane", "gave wrong results", (code: string) => code.replaceAll("subgroupMax(", "abs(")],
    ["shaders that are refused", "were refused", (code: string) => code.replaceAll("subgroupMin(", "subgroupNone(")],
  ] as const)("without subgroups where those give %s", async ([, why, change]) => {
    const { device, reducing } = await deviceOf(["subgroups"], change);
    expect(await expectRight(device)).toContain(
      `the caller's device; reductions without subgroups: those with them ${why}`,
    );
    expect(reducing.at(-1)).not.toContain("enable subgroups");
    // Another backend on the same device knows.
    const [{ reason }, tests] = [await createWebGpu({ device }), reducing.length];
    expect(reason).toContain(why);
    expect(reducing).toHaveLength(tests);
  });
});
