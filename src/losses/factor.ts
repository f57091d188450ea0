/**
 * factor·x. A factor of exactly 0 switches its term off: the product is 0 then (never −0), against an infinite x and a NaN
 * too. Twins: assembly/combine.ts, and the pair stage's shader in src/backends/webgpu/pairs.wgsl.ts.
 */
export const times = (factor: number, x: number): number => (factor === 0 ? 0 : factor * x);

/** The product of two factors, either of which can switch off what they multiply. */
export const product = (factor: number, other: number): number => (other === 0 ? 0 : times(factor, other));
