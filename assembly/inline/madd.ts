/**
 * a·b + c, the one place where the two modules differ: fused in `kernels-relaxed.wasm` wherever the engine fuses
 * (V8 and SpiderMonkey do, JavaScriptCore does not), two roundings in `kernels.wasm`.
 */
// @ts-ignore: decorator
@inline
export function madd_x4(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
