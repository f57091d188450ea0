// The exports of kernels.wasm and kernels-relaxed.wasm.

export {
  add_f32,
  chain_f32,
  clear_empty_f32,
  likelihood_f32,
  multiply_f32,
  scale_f32,
  scaled_difference_f32,
} from "./combine";
export * from "./losses.gen";
export { scan_f32, sum_f32 } from "./reduce";
export { argsort_f64, difference_f64, SORT_COUNTS_BYTES, scatter_f32 } from "./sort";
export { pair_stats_f32 } from "./stats";

/** The first byte of memory that the module leaves to its caller. */
export const HEAP_BASE: usize = __heap_base;
