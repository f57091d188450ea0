// Logits that are scaled, and capped, before anything looks at them. Twin of assembly/transform.ts.

import type { FloatType } from "../../inputs/floats.ts";
import { readWgsl } from "./floats.wgsl.ts";
import { eachWgsl, nanWgsl } from "./prelude.wgsl.ts";

/**
 * `transformed` and `slope_at`, which takes what `transformed` gave. tanh is a rational function of x² times x, since the built-in may be off
 * by 5e-4 and roots by units in the last place; ±1 where that has rounded to it, and there the slope is an exact 0.
 */
export const transformWgsl = /* wgsl */ `
fn tanh_f32(x: f32) -> f32 {
  let above = select(x, -9.02, x < -9.02);
  let y = select(above, 9.02, above > 9.02);
  let t = y * y;
  let high = fma(fma(fma(fma(2.3004636e-8, t, 3.55516604e-5), t, 0.00603487436), t, 0.231093466), t, 1.72719204);
  let low = fma(fma(fma(fma(1.34065124e-6, t, 0.000567053910), t, 0.0446843281), t, 0.806823909), t, 1.72719204);
  let ratio = y * high / low;
  let most = select(ratio, -1.0, ratio < -1.0 || y == -9.02);
  return select(most, 1.0, most > 1.0 || y == 9.02);
}
fn transformed(x: f32, inner: f32, outer: f32) -> f32 {
  if (outer == 0.0) { return inner * x; }
  return outer * tanh_f32(inner * x);
}
fn slope_at(z: f32, inner: f32, outer: f32) -> f32 {
  if (outer == 0.0) { return inner; }
  let t = z / outer;
  return select(inner * outer * ((1.0 - t) * (1.0 + t)), 0.0, abs(z) >= outer);
}
`;

/** Logits to float32, transformed; in place where they are float32 in the range that they go to. */
export const transformLogitsWgsl = (type: FloatType, inPlace: boolean): string => /* wgsl */ `
${nanWgsl}${transformWgsl}
struct Params { count: u32, shift: u32, inner: f32, outer: f32 }
@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> to: array<u32>;
${inPlace ? "" : "@group(0) @binding(2) var<storage, read> logits: array<u32>;"}
${readWgsl(type, inPlace ? "to" : "logits")}
${eachWgsl("params.count")}
  let x = at(params.shift + i);
  to[i] = bits_of(transformed(x, params.inner, params.outer), is_nan(x));
}`;
