// Tokens before and after everything else on the GPU: their ids, where those lie there, and the slope of each.

import { eachWgsl } from "./pairs.wgsl.ts";
import { SUMS_WORDS } from "./rows.wgsl.ts";
import { sequencePrelude } from "./sequences.wgsl.ts";
import { gpuMetrics } from "./types.ts";

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
