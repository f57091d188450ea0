/**
 * a·b + c, the only place where the two modules differ: in `kernels-relaxed.wasm` it is fused where the engine fuses (V8 and
 * SpiderMonkey do, JavaScriptCore does not), in `kernels.wasm` it rounds twice.
 */
// @ts-ignore: decorator
@inline
export function madd_x4(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
