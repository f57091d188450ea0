// The sorted losses: keys are put in order, ranks get their losses, gradients go back to their pairs.

import { kernelOf } from "../../kernels/pairs.ts";
import { type KernelName, kernelConstants } from "../../plan/constants.gen.ts";
import type { Term } from "../../plan/plan.ts";
import type { Commands, Range } from "./commands.ts";
import { within } from "./commands.ts";
import { packParams } from "./params.ts";
import { BLOCK, farWgsl, keysWgsl, nearWgsl, ranksWgsl } from "./sort.wgsl.ts";

/** Steps of the network lie this far apart in their buffer: what a binding's offset must be a multiple of. */
const STEP_BYTES = 256;

/** The parameters of every step: the runs within blocks first, then each longer run, its last steps within blocks again. */
function stepsOf(pairs: number, size: number): { near: boolean; words: number[] }[] {
  const steps = [{ near: true, words: [pairs, size, BLOCK, 0] }];
  for (let span = 2 * BLOCK; span <= size; span *= 2) {
    for (let reach = span / 2; reach >= BLOCK; reach /= 2) {
      steps.push({ near: false, words: [pairs, size, span, reach] });
    }
    steps.push({ near: true, words: [pairs, size, span, 1] });
  }
  return steps;
}

/**
 * Records the sort of both lists of keys and the losses of their ranks, unweighted; gradients bear `gradScale`. `keys` are
 * four arrays: high and low parts of the first list, then of the second. The results go to three arrays in `to`.
 */
export function recordSorted(
  commands: Commands,
  term: Term,
  pairs: number,
  gradScale: number,
  keys: Range,
  to: Range,
): void {
  const { loss, params } = term;
  const kernel = kernelOf(loss) as KernelName;
  const size = Math.max(BLOCK, 2 ** Math.ceil(Math.log2(pairs)));
  const steps = stepsOf(pairs, size);
  const words = new Uint32Array((steps.length * STEP_BYTES) / 4);
  steps.forEach((step, k) => {
    words.set(step.words, (k * STEP_BYTES) / 4);
  });
  const all = commands.upload(words);
  const items = commands.scratch(2 * 16 * size);
  const groups = size / BLOCK;
  commands.run(keysWgsl, 4 * groups, within(all, 0, 16), keys, items);
  steps.forEach(({ near }, k) => {
    commands.run(near ? nearWgsl : farWgsl, 2 * groups, within(all, k * STEP_BYTES, 16), items);
  });
  const make = kernelConstants[kernel] as (...params: number[]) => readonly number[];
  const constants = make(gradScale, ...params);
  const rankParams = commands.upload(packParams([...[pairs, size, 0, 0].map((u32) => ({ u32 })), constants]));
  const sorted = ("margin" in loss && loss.sorted) || "";
  commands.run(ranksWgsl(kernel, constants.length, sorted), 2 * groups, rankParams, keys, items, to);
}
