// The pair stage as one shader per list of losses: all terms of a pair in one invocation, inputs read once, results written
// once. The functions are those of losses.gen.ts.

import { isSorting, pairColumns, pairResults } from "../../losses/kinds.ts";
import { kernelConstants } from "../../plan/constants.gen.ts";
import { kernelOf } from "../../plan/kernel-of.ts";
import type { Plan, Term } from "../../plan/plan.ts";
import { lossesWgsl } from "./losses.gen.ts";
import { mathWgsl } from "./math.wgsl.ts";
import { eachWgsl, nanWgsl } from "./prelude.wgsl.ts";

const functionsByName = new Map(
  lossesWgsl
    .split(/\n(?=fn )/)
    .slice(1)
    .map((text) => [text.slice(3, text.indexOf("(")), text.slice(0, text.indexOf("\n}") + 2)] as const),
);

/** The text of one printed function. */
export const lossWgsl = (name: string): string => functionsByName.get(name) ?? "";

const isLikelihood = ({ loss }: Term): boolean => loss.kind === "likelihood";
export const isSorted = ({ loss }: Term): boolean => isSorting(loss);

/**
 * What a term contributes: three numbers and whether they are NaN. A factor of exactly 0, the term's or the pair's, switches
 * it off, by its bits: what WGSL compares a NaN to is open (src/losses/factor.ts has the rule).
 */
const termWgsl = (term: Term, j: number): string => /* wgsl */ `
  if (!is_zero(params.weight${j})) {${onWgsl(term, j)}
  }`;

function onWgsl(term: Term, j: number): string {
  const { loss, divergence, free } = term;
  if (isLikelihood(term))
    return /* wgsl */ `
    // Σ of the likelihood stands behind the arrays where it is known on the GPU alone.
    let value = params.k${j}[0] + params.k${j}[2] * inputs[${inputNames.length}u * n];
    if (!is_zero(weight)) {
      losses += params.weight${j} * weight * value;
      lossNan = lossNan || is_nan(value);
    }
    da += params.k${j}[1];
    daNan = daNan || is_nan(pc);`;
  if (isSorted(term))
    return /* wgsl */ `
    let at = ${sortedIndex(j)};
    let value = sorted[at];
    losses += params.weight${j} * value;
    da += sorted[at + params.pairs];
    dc += sorted[at + 2u * params.pairs];
    lossNan = lossNan || is_nan(value);
    daNan = daNan || is_nan(sorted[at + params.pairs]);
    dcNan = dcNan || is_nan(sorted[at + 2u * params.pairs]);`;
  const lengths = loss.perToken ? "nw, nl" : "1.0, 1.0";
  const ratios = free ? "pc, pr" : "a_ratio, c_ratio";
  const call = divergence
    ? /* wgsl */ `let m = margin_${divergence.id}(${ratios}, ${lengths}, ${ownSymbols}, params.m${j});
    let r = ${kernelOf(loss)}(m.x, 0.0, ${noColumns}, params.k${j});
    let ra = chain(r.y, m.y);
    let rc = chain(r.y, m.z);`
    : /* wgsl */ `let r = ${kernelOf(loss)}(${ratios}, nw, nl, ${ownSymbols}, params.k${j});
    let ra = r.y;
    let rc = r.z;`;
  return /* wgsl */ `
    if (!is_zero(weight)) {
    ${call}
    let bad = is_nan(weight) || is_nan(r.x)${nansOf(term)};
    losses += params.weight${j} * weight * r.x;
    da += weight * ra;
    dc += weight * rc;
    lossNan = lossNan || bad;
    daNan = daNan || bad;
    dcNan = dcNan || bad;
    }`;
}

/** The columns of a kernel that reads none. */
export const noColumns = pairColumns.flatMap((column) => ("argument" in column ? ["1.0"] : [])).join(", ");

const ownSymbols = pairColumns.flatMap(({ of, symbol }) => (of === "own" ? [symbol] : [])).join(", ");

// What a term sees of a pair and makes it NaN, whatever the arithmetic makes of it.
const nansOf = ({ loss, free }: Term): string =>
  [
    ...(free ? ["pc", "pr"] : ["a_ratio", "c_ratio"]),
    ...pairColumns.flatMap(({ of, name, symbol }) => (of === "own" && loss.columns.includes(name) ? [symbol] : [])),
  ]
    .map((symbol) => ` || is_nan(${symbol})`)
    .join("");

// The place of pair i of the k-th sorted term: losses, then gradients of chosen and rejected.
const sortedIndex = (j: number): string => `params.sortedAt${j} + i`;

/** Numbers of each pair that the shader reads, one array after another; one number more follows them. */
export const inputNames = [
  "a_ratio",
  "c_ratio",
  ...pairColumns.filter(({ of }) => of !== "reference").map(({ symbol }) => symbol),
] as const;

/** The columns that stand behind log-ratios and the policy's log-probs. */
export const behindLogps = pairColumns.filter(({ of }) => of !== "policy" && of !== "reference");

/** Arrays of results, one after another. */
export const RESULTS = pairResults.length;

/** How many constants each divergence's function takes. */
const marginConstants = {
  js: kernelConstants.margin_js().length,
  power: kernelConstants.margin_power(1, 1, 1, 1).length,
  js_anchored: kernelConstants.margin_js_anchored().length,
  power_anchored: kernelConstants.margin_power_anchored(1, 1, 1, 1).length,
  alphapo: kernelConstants.margin_alphapo(1, 1, 1).length,
  alphapo_mean: kernelConstants.margin_alphapo_mean(1, 1, 1).length,
};

/** The fields of the parameters: unsigned integers, then floats, with how many of them. */
export interface Field {
  readonly name: string;
  readonly type: "u32" | "f32" | number;
}

export function pairFields({ terms }: Plan, constants: readonly (readonly number[])[]): Field[] {
  return [
    { name: "pairs", type: "u32" },
    { name: "beta", type: "f32" },
    { name: "scale", type: "f32" },
    ...terms.flatMap((term, j): Field[] => [
      { name: `weight${j}`, type: "f32" },
      ...(isSorted(term)
        ? [{ name: `sortedAt${j}`, type: "u32" } as const]
        : [{ name: `k${j}`, type: constants[j]?.length ?? 0 }]),
      ...(term.divergence ? [{ name: `m${j}`, type: marginConstants[term.divergence.id] }] : []),
    ]),
  ];
}

const structWgsl = (fields: readonly Field[]): string =>
  fields.map(({ name, type }) => `${name}: ${typeof type === "number" ? `array<f32, ${type}>` : type}`).join(", ");

/** The shader of a plan. */
export function pairsWgsl(plan: Plan, fields: readonly Field[]): string {
  const { terms } = plan;
  const used = terms.flatMap(({ loss, divergence }) => [
    ...(loss.kind === "likelihood" ? [] : [kernelOf(loss) ?? ""]),
    ...(divergence ? [`margin_${divergence.id}`] : []),
  ]);
  const anySorted = terms.some(isSorted);
  return /* wgsl */ `
${mathWgsl}${nanWgsl}
${[...new Set(used)].map(lossWgsl).join("\n")}
// A zero factor gives zero, against an infinite one too.
fn chain(slope: f32, inner: f32) -> f32 { return select(slope * inner, 0.0, slope == 0.0 || inner == 0.0); }
struct Params { ${structWgsl(fields)} }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<u32>;
${anySorted ? "@group(0) @binding(3) var<storage, read> sorted: array<f32>;" : ""}
${eachWgsl("params.pairs")}
  let n = params.pairs;
  ${inputNames.map((name, k) => `let ${name} = inputs[${k}u * n + i];`).join("\n  ")}
  var losses = 0.0;
  var da = 0.0;
  var dc = 0.0;
  var lossNan = false;
  var daNan = false;
  var dcNan = false;
  ${terms.map(termWgsl).join("")}
  results[i] = bits_of(losses, lossNan);
  let off = is_zero(params.scale);
  results[n + i] = select(bits_of(da, daNan), 0u, off || nw == 0.0);
  results[2u * n + i] = select(bits_of(dc, dcNan), 0u, off || nl == 0.0);
  results[3u * n + i] = bits_of(params.beta * a_ratio, is_nan(a_ratio));
  results[4u * n + i] = bits_of(params.beta * c_ratio, is_nan(c_ratio));
}`;
}

/** Sums over pairs in one workgroup: of the losses, both log-probs, both log-ratios, and how often the chosen one is more. */
export const pairSumsWgsl = /* wgsl */ `
struct Params { pairs: u32, beta: f32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> results: array<f32>;
@group(0) @binding(3) var<storage, read_write> metrics: array<u32>;
var<workgroup> shared_sums: array<array<f32, 6>, 256>;
@compute @workgroup_size(256) fn main(@builtin(local_invocation_index) lane: u32) {
  let n = params.pairs;
  var sums = array<f32, 6>();
  // Blocks of 64 are summed apart: a lane adds few numbers to a large one.
  for (var start = lane; start < n; start += 256u * 64u) {
    var block = array<f32, 6>();
    for (var i = start; i < min(n, start + 256u * 64u); i += 256u) {
      block[0] += results[i];
      block[1] += inputs[2u * n + i];
      block[2] += inputs[3u * n + i];
      block[3] += inputs[i];
      block[4] += inputs[n + i];
      block[5] += select(0.0, 1.0, inputs[i] > inputs[n + i]);
    }
    for (var k = 0u; k < 6u; k++) { sums[k] += block[k]; }
  }
  shared_sums[lane] = sums;
  for (var half = 128u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { for (var k = 0u; k < 6u; k++) { shared_sums[lane][k] += shared_sums[lane + half][k]; } }
  }
  if (lane != 0u) { return; }
  let mean = shared_sums[0];
  let pairs = f32(n);
  let chosen = params.beta * mean[3] / pairs;
  let rejected = params.beta * mean[4] / pairs;
  metrics[0] = bitcast<u32>(mean[0] / pairs);
  metrics[1] = bitcast<u32>(chosen);
  metrics[2] = bitcast<u32>(rejected);
  metrics[3] = bitcast<u32>(mean[5] / pairs);
  metrics[4] = bitcast<u32>(chosen - rejected);
  metrics[5] = bitcast<u32>(mean[1] / pairs);
  metrics[6] = bitcast<u32>(mean[2] / pairs);
}`;
