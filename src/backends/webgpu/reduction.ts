// Which reduction a device gets: the quickest one that gives the right results there.

import { GROUP_LANES, type Reduction, type ReductionWgsl, reductionWgsl } from "./reduce.wgsl.ts";
import { type Queue, submit } from "./submit.ts";

export interface FoundReduction {
  readonly reduction: Reduction;
  /** What is wrong with subgroups there, in words. */
  readonly problem?: string;
}

/** Workgroups of the test: the odd lanes are 0, 17, … 255. */
const GROUPS = 16;

// Each workgroup has its extremes and its odd summand in another lane; all sums are exact. Every lane counts whether it is right.
const testWgsl = ({ directives, functions, parameters, setup }: ReductionWgsl): string => {
  const last = GROUP_LANES - 1;
  const sums = [(last * (last + 1)) / 2, (last * (last + 1) * (2 * last + 1)) / 6, 1, GROUP_LANES];
  return /* wgsl */ `${directives}
${functions}
@group(0) @binding(0) var<storage, read_write> right: atomic<u32>;
@compute @workgroup_size(${GROUP_LANES}) fn main(${parameters}) {
  ${setup}
  let odd = lane == 17u * group.x;
  let x = f32(lane);
  let most = reduce_max(select(-x, 0.5, odd), lane);
  let sum = reduce_add(vec4f(x, x * x, select(0.0, 1.0, odd), 1.0), lane);
  let least = reduce_least(select(lane + 7u, 3u, odd), lane);
  if (most == 0.5 && all(sum == vec4f(${sums.map((sum) => `${sum}.0`).join(", ")})) && least == 3u) { atomicAdd(&right, 1u); }
}`;
};

/** What the device makes of a reduction. Throws    BackendError: the device is lost */
async function tested(queue: Queue, reduction: Reduction): Promise<FoundReduction> {
  let right = 0;
  let problem = "gave wrong results";
  try {
    await submit(queue, (commands) => {
      const count = commands.scratch(4);
      commands.clear(count);
      commands.run(testWgsl(reductionWgsl[reduction]), GROUPS, count);
      commands.read(count, (bytes) => {
        right = new Uint32Array(bytes)[0] ?? 0;
      });
    });
  } catch (error) {
    if (queue.lost !== undefined) throw error;
    problem = `were refused (${(error as Error).message})`;
  }
  if (right === GROUPS * GROUP_LANES) return { reduction };
  return { reduction: "plain", problem: `reductions without subgroups: those with them ${problem}` };
}

/** The reduction that the device and the engine's WGSL claim to have. */
function claimed({ features }: GPUDevice): Reduction {
  if (!features.has("subgroups" as GPUFeatureName)) return "plain";
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  return gpu?.wgslLanguageFeatures?.has("subgroup_id") ? "subgroup_id" : "numbered";
}

// Backends on one device share what was found out.
const known = new WeakMap<GPUDevice, FoundReduction>();

/** The quickest reduction that gives the right results on a device. Throws    BackendError: the device is lost */
export async function findReduction(queue: Queue): Promise<FoundReduction> {
  const reduction = claimed(queue.device);
  const found = known.get(queue.device) ?? (reduction === "plain" ? { reduction } : await tested(queue, reduction));
  known.set(queue.device, found);
  return found;
}
