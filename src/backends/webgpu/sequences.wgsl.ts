// The token stage on the GPU, for calls that nothing is read back from: tokens to sequences, sequences to the pair stage.
// Twin of src/calls/sequences.ts.

import { fixedWgsl } from "./fixed-point.wgsl.ts";
import { mathWgsl } from "./math.wgsl.ts";
import { inputNames } from "./pairs.wgsl.ts";
import { eachWgsl, GROUP, nanWgsl } from "./prelude.wgsl.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";
import { gpuMetrics } from "./types.ts";

const LANES = 64;

/** Words of a sequence: its sum (four), then Σ of logp − log Σp², of logp, of the entropy, of the mean logit, of hits. */
export const SEQUENCE_WORDS = 12;

const params = /* wgsl */ `
struct Params { pairs: u32, tokens: u32, vocab: u32, statistics: u32, alpha: f32, slope: f32, wpo: u32, offset: u32, sequences: u32, each: u32 }
@group(0) @binding(0) var<storage, read> params: Params;`;

const sequenceStruct = /* wgsl */ `
struct Sequence { sum: Summed, spread: f32, likelihood: f32, entropy: f32, logits: f32, hits: f32, pad0: u32, pad1: u32, pad2: u32 }`;

/** What every shader of sequences begins with. */
export const sequencePrelude = `${mathWgsl}${nanWgsl}${fixedWgsl}${sequenceStruct}${params}`;

const reduceLanes = (sum: string): string => /* wgsl */ `
  for (var reach = ${LANES / 2}u; reach > 0u; reach /= 2u) {
    workgroupBarrier();
    if (lane < reach) { ${sum} }
  }`;

/** One workgroup for each sequence. Token log-probs and log-sum-exps go to the places that the tokens have. */
export const sequencesWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> start: array<u32>;
@group(0) @binding(2) var<storage, read> places: array<u32>;
@group(0) @binding(3) var<storage, read> sums: array<array<u32, ${SUMS_WORDS}>>;
@group(0) @binding(4) var<storage, read_write> sequences: array<Sequence>;
@group(0) @binding(5) var<storage, read_write> perToken: array<u32>;
var<workgroup> fixed: array<vec2u, ${LANES}>;
var<workgroup> floats: array<array<f32, 6>, ${LANES}>;
var<workgroup> flags: array<u32, ${LANES}>;
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let r = ${GROUP};
  if (r >= params.sequences) { return; }
  // Without pairs it is the sequence itself.
  let partner = select(r - params.pairs, r + params.pairs, r < params.pairs);
  let shorter = start[partner + 1u] - start[partner];
  let all = array<f32, 6>();
  var total = vec2u(0u);
  var own = all; // logp scaled, spread, likelihood, entropy, mean logit, hits
  var flag = 0u; // 1: no room in fixed point, 2: NaN
  for (var k = start[r] + lane; k < start[r + 1u]; k += ${LANES}u) {
    let token = sums[k];
    let most = bitcast<f32>(token[0]);
    let sum = bitcast<f32>(token[1]);
    let label = bitcast<f32>(token[3]);
    let empty = token[1] == 0u; // nothing but −∞
    let bad = empty || is_nan(most) || is_nan(sum) || is_nan(label);
    let sane = !bad && abs(most) < FIXED_RANGE && abs(label) < FIXED_RANGE;
    var logSum = fix_log(1.0);
    var exact = vec2u(0u);
    if (!bad) { logSum = fix_log(sum); }
    if (sane) { exact = fixed_minus(fixed_minus(fix(label), fix(most)), logSum); }
    let logOfSum = float_of(logSum);
    let logp = select((label - most) - logOfSum, float_of(exact), sane);
    let place = places[k];
    perToken[place] = bits_of(logp, bad);
    perToken[params.offset + place] = select(bits_of(most + logOfSum, bad), MINUS_INFINITY_BITS, empty);
    let full = k - start[r] < shorter;
    let weight = select(params.alpha, 1.0, full);
    if (full || params.alpha > 0.0) {
      own[0] += weight * ((label * WILD_SCALE - most * WILD_SCALE) - logOfSum * WILD_SCALE);
      flag |= select(1u, 0u, sane) | select(0u, 3u, bad);
      if (full) { total = fixed_sum(total, exact); }
      else if (sane) { total = fixed_sum(total, fix(weight * logp)); }
    }
    own[2] += logp;
    own[5] += f32(token[2]);
    if (params.statistics == 0u) { continue; }
    own[1] += logp - (log_of(bitcast<f32>(token[5])) - 2.0 * logOfSum);
    let entropy = logOfSum - bitcast<f32>(token[4]) / sum;
    own[3] += entropy;
    if (params.each != 0u) { perToken[2u * params.offset + place] = bits_of(entropy, bad); }
    own[4] += bitcast<f32>(token[6]) / f32(params.vocab);
  }
  fixed[lane] = total;
  floats[lane] = own;
  flags[lane] = flag;
  ${reduceLanes(
    `fixed[lane] = fixed_sum(fixed[lane], fixed[lane + reach]);
      flags[lane] |= flags[lane + reach];
      for (var k = 0u; k < 6u; k++) { floats[lane][k] += floats[lane + reach][k]; }`,
  )}
  if (lane != 0u) { return; }
  let it = floats[0];
  // Terms are all of one sign: where the float is this large the integers may have overflowed.
  let wild = flags[0] | select(0u, 1u, abs(it[0]) >= FIXED_SUM * WILD_SCALE);
  let value = select(float_of(fixed[0]) * WILD_SCALE, it[0], wild != 0u);
  sequences[r] = Sequence(Summed(fixed[0], wild, bits_of(value, (wild & 2u) != 0u)), it[1], it[2], it[3], it[4], it[5], 0u, 0u, 0u);
}
// Σ p² lies in [1/V, 1] times the square of the sum: its logarithm is that of a number ≥ 1 or a bit below.
fn log_of(x: f32) -> f32 { return float_of(fix_log(max(x, 1.0))); }`;

/** The log-prob of each sequence. */
export const logpsWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> sequences: array<Sequence>;
@group(0) @binding(2) var<storage, read_write> logps: array<u32>;
${eachWgsl("params.sequences")}
  logps[i] = value_bits(sequences[i].sum);
}`;

/** The metrics of sequences that are not pairs, where those of the chosen ones stand. One workgroup. */
export const sequenceMetricsWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> sequences: array<Sequence>;
@group(0) @binding(2) var<storage, read> start: array<u32>;
@group(0) @binding(3) var<storage, read_write> metrics: array<f32>;
var<workgroup> floats: array<vec4f, ${LANES}>;
@compute @workgroup_size(${LANES}) fn main(@builtin(local_invocation_index) lane: u32) {
  var own = vec4f(0.0);
  for (var r = lane; r < params.sequences; r += ${LANES}u) {
    let it = sequences[r];
    own += vec4f(it.likelihood, it.hits, it.entropy, it.logits);
  }
  floats[lane] = own;
  ${reduceLanes("floats[lane] += floats[lane + reach];")}
  if (lane != 0u) { return; }
  let all = f32(max(start[params.sequences], 1u));
  metrics[${gpuMetrics.indexOf("logps/chosen")}] = floats[0].x / f32(max(params.sequences, 1u));
  metrics[${gpuMetrics.indexOf("mean_token_accuracy")}] = floats[0].y / all;
  metrics[${gpuMetrics.indexOf("entropy")}] = floats[0].z / all;
  metrics[${gpuMetrics.indexOf("logits/chosen")}] = floats[0].w / all;
}`;

/** Gradients of tokens that the caller gives, to what the backward pass wants at each place; with entropies dloss / dH and Σ p·(x−max). */
export const givenSlopesWgsl = (entropies: boolean): string => /* wgsl */ `
${nanWgsl}
struct Params { tokens: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> tokens: array<vec2u>;
@group(0) @binding(2) var<storage, read> given: array<vec2u>; // bits of dloss / d log p and dloss / dH
@group(0) @binding(3) var<storage, read> sums: array<array<u32, ${SUMS_WORDS}>>;
@group(0) @binding(4) var<storage, read_write> slopes: array<vec4u>;
${entropies ? "@group(0) @binding(5) var<storage, read_write> entropies: array<vec2u>;" : ""}
${eachWgsl("params.tokens")}
  let slot = tokens[i].x;
  slopes[slot] = vec4u(tokens[i].y, given[i].x, sums[i][0], sums[i][1]);
  ${
    entropies
      ? `let weighted = bitcast<f32>(sums[i][4]);
  let sum = bitcast<f32>(sums[i][1]);
  let bad = is_nan(weighted) || is_nan(sum) || is_zero(sum);
  entropies[slot] = vec2u(given[i].y, bits_of(weighted / sum, bad));`
      : ""
  }
}`;

/** Log-probs given as floats, as sequences. */
export const givenWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> logps: array<f32>;
@group(0) @binding(2) var<storage, read_write> sequences: array<Sequence>;
${eachWgsl("params.tokens")}
  let x = logps[i];
  let wild = !(abs(x) < FIXED_RANGE) || is_nan(x);
  var exact = vec2u(0u);
  if (!wild) { exact = fix(x); }
  sequences[i] = Sequence(Summed(exact, select(0u, 1u, wild), bits_of(x * WILD_SCALE, is_nan(x))), 0.0, x, 0.0, 0.0, 0.0, 0u, 0u, 0u);
}`;

/** Sums over the sequences: the likelihood for the pair stage, and the metrics of tokens. One workgroup. */
export const tokenMetricsWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> sequences: array<Sequence>;
@group(0) @binding(2) var<storage, read> start: array<u32>;
@group(0) @binding(3) var<storage, read_write> inputs: array<f32>;
@group(0) @binding(4) var<storage, read_write> metrics: array<f32>;
var<workgroup> floats: array<array<f32, 5>, ${LANES}>;
@compute @workgroup_size(${LANES}) fn main(@builtin(local_invocation_index) lane: u32) {
  var own = array<f32, 5>();
  for (var r = lane; r < 2u * params.pairs; r += ${LANES}u) {
    let it = sequences[r];
    let chosen = r < params.pairs;
    own[0] += select(0.0, it.likelihood, chosen);
    own[1] += select(0.0, it.hits, chosen);
    own[2] += it.entropy;
    own[3] += select(0.0, it.logits, chosen);
    own[4] += select(it.logits, 0.0, chosen);
  }
  floats[lane] = own;
  ${reduceLanes("for (var k = 0u; k < 5u; k++) { floats[lane][k] += floats[lane + reach][k]; }")}
  if (lane != 0u) { return; }
  let chosen = f32(start[params.pairs]);
  let all = f32(start[2u * params.pairs]);
  inputs[${inputNames.length}u * params.pairs] = floats[0][0];
  metrics[7] = floats[0][1] / max(chosen, 1.0);
  metrics[8] = floats[0][2] / max(all, 1.0);
  metrics[9] = floats[0][3] / max(chosen, 1.0);
  metrics[10] = floats[0][4] / max(all - chosen, 1.0);
}`;

/** Sequences of policy and reference to the inputs of the pair stage; what stands behind log-probs is given. */
export const pairInputsWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> policy: array<Sequence>;
@group(0) @binding(2) var<storage, read> reference: array<Sequence>;
@group(0) @binding(3) var<storage, read> columns: array<f32>;
@group(0) @binding(4) var<storage, read> start: array<u32>;
@group(0) @binding(5) var<storage, read_write> inputs: array<u32>;
fn omega(r: u32) -> f32 { return exp_f32(policy[r].spread / f32(max(start[r + 1u] - start[r], 1u))); }
fn put(at: u32, x: f32) { inputs[at] = bits_of(x, is_nan(x)); }
${eachWgsl("params.pairs")}
  let n = params.pairs;
  put(i, difference(policy[i].sum, reference[i].sum));
  put(n + i, difference(policy[n + i].sum, reference[n + i].sum));
  inputs[2u * n + i] = value_bits(policy[i].sum);
  inputs[3u * n + i] = value_bits(policy[n + i].sum);
  for (var k = 0u; k < ${inputNames.length - 5}u; k++) { put((4u + k) * n + i, columns[k * n + i]); }
  var weight = columns[${inputNames.length - 5}u * n + i];
  if (params.wpo != 0u) {
    let chosen = omega(i);
    let rejected = omega(n + i);
    // Either switches the pair off.
    weight = select(chosen * rejected, 0.0, is_zero(chosen) || is_zero(rejected));
  }
  put(${inputNames.length - 1}u * n + i, weight);
}`;

/** The keys that AOT sorts: margins of policy and reference, or both log-ratios, as floats and what they leave over. */
export const keysOfWgsl = (sorted: string): string => {
  const [u, v] = sorted === "margins" ? ["policy[i], policy[n + i]", "reference[i], reference[n + i]"] : ratioKeys;
  const sums = (pair: string): string => pair.replaceAll("]", "].sum");
  return /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> policy: array<Sequence>;
@group(0) @binding(2) var<storage, read> reference: array<Sequence>;
@group(0) @binding(3) var<storage, read_write> keys: array<f32>;
${eachWgsl("params.pairs")}
  let n = params.pairs;
  let u = difference(${sums(u as string)});
  let v = difference(${sums(v as string)});
  keys[i] = u;
  keys[n + i] = residue(${sums(u as string)}, u);
  keys[2u * n + i] = v;
  keys[3u * n + i] = residue(${sums(v as string)}, v);
}`;
};
const ratioKeys = ["policy[i], reference[i]", "policy[n + i], reference[n + i]"];

/** What the backward pass wants at each place: id, g, maximum, sum. `owners`: sequence · 2 + whether it counts in full. */
export const tokenGradientsWgsl = /* wgsl */ `${sequencePrelude}
@group(0) @binding(1) var<storage, read> tokens: array<vec2u>;
@group(0) @binding(2) var<storage, read> owners: array<u32>;
@group(0) @binding(3) var<storage, read> sums: array<array<u32, ${SUMS_WORDS}>>;
@group(0) @binding(4) var<storage, read> results: array<f32>; // losses, gradients of chosen, of rejected
@group(0) @binding(5) var<storage, read_write> slopes: array<vec4u>;
${eachWgsl("params.tokens")}
  let r = owners[i] >> 1u;
  let g = results[params.pairs + r];
  let full = (owners[i] & 1u) == 1u;
  var weighted = g;
  if (!full) { weighted = select(0.0, params.alpha * g, params.alpha > 0.0); }
  let all = weighted + select(0.0, params.slope, r < params.pairs);
  slopes[tokens[i].x] = vec4u(tokens[i].y, bits_of(all, is_nan(all)), sums[i][0], sums[i][1]);
}`;

/** Ids that lie on the GPU, as targets: out of range they are clamped, and counted in the flag. */
export const idsWgsl = /* wgsl */ `
struct Params { tokens: u32, vocab: u32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read> ids: array<i32>;
@group(0) @binding(3) var<storage, read_write> tokens: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> flags: array<atomic<u32>>;
${eachWgsl("params.tokens")}
  let id = ids[places[i]];
  let clamped = clamp(id, 0, i32(params.vocab) - 1);
  tokens[i].y = u32(clamped);
  if (clamped != id) { atomicAdd(&flags[${gpuMetrics.indexOf("clamped_ids")}], 1u); }
}`;
