// AOT's sort on the GPU: a bitonic network over (key, index). With the index as tie-break the order is that of a stable sort, on
// every GPU. Keys are compared as integers in the order of the floats, so that NaN comes last without being compared.

import { type KernelName, kernelConstants } from "../../plan/constants.gen.ts";
import { kernelOf } from "../../plan/kernel-of.ts";
import type { Term } from "../../plan/plan.ts";
import { type Commands, packParams, type Range, within } from "./commands.ts";
import { mathWgsl } from "./math.wgsl.ts";
import { lossWgsl, noColumns } from "./pairs.wgsl.ts";
import { GROUP, nanWgsl } from "./prelude.wgsl.ts";

/** Elements that one workgroup sorts in its own memory. */
const BLOCK = 512;
const HALF = BLOCK / 2;

/** Distance of the steps' parameters in their buffer: offsets of bindings must be multiples of it. */
const STEP_BYTES = 256;

/** The parameters of every step: first runs within blocks, then longer and longer runs, the last steps of each within blocks again. */
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
 * Records the sort of both lists of keys, and the losses of their ranks without the term's weight; gradients are multiplied by
 * `gradScale`. `keys` holds four arrays: high and low parts of the first list, then of the second. `to` receives losses and both
 * gradients.
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
  const sorted = loss.batch ?? "";
  commands.run(ranksWgsl(kernel, constants.length, sorted), 2 * groups, rankParams, keys, items, to);
}

const entry = (lanes: number): string => /* wgsl */ `
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = ${GROUP};`;

// `size`: elements of each of the two lists, a power of two; `span`: length of the sorted runs that this step is part of; `reach`:
// distance of the elements that it compares.
const common = /* wgsl */ `
struct Step { pairs: u32, size: u32, span: u32, reach: u32 }
// The high part of the key, the low part, the index.
alias Item = vec3u;
fn before(x: Item, y: Item) -> bool {
  if (x.x != y.x) { return x.x < y.x; }
  if (x.y != y.y) { return x.y < y.y; }
  return x.z < y.z;
}`;

/** Makes items of floats (high and low parts of each list); padding up to the power of two sorts last. */
const keysWgsl = /* wgsl */ `${common}${nanWgsl}
@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read_write> items: array<Item>;
fn ordered(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (is_nan(x)) { return 0xffffffffu; }
  if (bits == 0x80000000u) { return bits; } // −0 ties with 0
  return select(bits | 0x80000000u, ~bits, bits > 0x80000000u);
}
${entry(HALF)}
  let at = g * ${HALF}u + lane;
  if (at >= 2u * step.size) { return; }
  let list = at / step.size;
  let i = at % step.size;
  if (i >= step.pairs) {
    items[at] = Item(0xffffffffu, 0xffffffffu, i);
    return;
  }
  let high = keys[2u * list * step.pairs + i];
  let low = keys[(2u * list + 1u) * step.pairs + i];
  items[at] = Item(ordered(high), select(ordered(low), 0xffffffffu, is_nan(high)), i);
}`;

/** One step over the whole lists, for elements further apart than a block. */
const farWgsl = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read_write> items: array<Item>;
${entry(HALF)}
  let t = g * ${HALF}u + lane;
  if (t >= step.size) { return; } // two lists, half their elements each
  let at = 2u * (t - t % step.reach) + t % step.reach;
  let x = items[at];
  let y = items[at + step.reach];
  let up = ((at % step.size) & step.span) == 0u;
  if (before(y, x) != up) { return; }
  items[at] = y;
  items[at + step.reach] = x;
}`;

/** All steps within a block: those of `span`, or with `reach` 0 those of all runs from 2 up to `span`. */
const nearWgsl = /* wgsl */ `${common}
@group(0) @binding(0) var<storage, read> step: Step;
@group(0) @binding(1) var<storage, read_write> items: array<Item>;
var<workgroup> block: array<Item, ${BLOCK}>;
${entry(HALF)}
  let base = g * ${BLOCK}u;
  if (base >= 2u * step.size) { return; }
  block[lane] = items[base + lane];
  block[lane + ${HALF}u] = items[base + lane + ${HALF}u];
  let first = select(step.span, 2u, step.reach == 0u);
  for (var span = first; span <= step.span; span *= 2u) {
    for (var reach = min(span / 2u, ${HALF}u); reach > 0u; reach /= 2u) {
      workgroupBarrier();
      let at = 2u * (lane - lane % reach) + lane % reach;
      let x = block[at];
      let y = block[at + reach];
      let up = (((base + at) % step.size) & span) == 0u;
      if (before(y, x) == up) {
        block[at] = y;
        block[at + reach] = x;
      }
    }
  }
  workgroupBarrier();
  items[base + lane] = block[lane];
  items[base + lane + ${HALF}u] = block[lane + ${HALF}u];
}`;

/** Losses by rank; gradients return to the pairs that the keys came from. */
const ranksWgsl = (kernel: string, constants: number, sorted: string): string => /* wgsl */ `${common}
${mathWgsl}${nanWgsl}
${lossWgsl(kernel)}
struct Params { step: Step, k: array<f32, ${constants}> }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<f32>;
@group(0) @binding(2) var<storage, read> items: array<Item>;
@group(0) @binding(3) var<storage, read_write> results: array<u32>;
${entry(HALF)}
  let k = g * ${HALF}u + lane;
  let n = params.step.pairs;
  if (k >= n) { return; }
  let i = items[k].z;
  let j = items[params.step.size + k].z;
  let d = (keys[i] - keys[2u * n + j]) + (keys[n + i] - keys[3u * n + j]);
  let r = ${kernel}(d, 0.0, ${noColumns}, params.k);
  let bad = is_nan(d) || is_nan(r.x);
  results[k] = bits_of(r.x, bad);
  results[n + i] = bits_of(r.y, bad);
  results[2u * n + ${sorted === "margins" ? "i" : "j"}] = bits_of(r.z, bad);
}`;
