// The exports of kernels.wasm and kernels-relaxed.wasm.

export {
  add_f32,
  chain_f32,
  clear_empty_f32,
  likelihood_f32,
  weigh_f32,
  scale_f32,
  scaled_difference_f32,
} from "./combine";
export { entropy_grad_f32 } from "./entropy";
export { GEMM_ROWS, gemm_f32 } from "./gemm";
export { linear_chain_f32, linear_grad_f32, linear_sums_f32 } from "./linear";
export {
  logits_stats_bf16,
  logits_stats_f16,
  logits_stats_f32,
  logits_stats_through_f32,
  logsumexp_bf16,
  logsumexp_f16,
  logsumexp_f32,
  logsumexp_through_f32,
} from "./logprob";
export {
  logits_grad_bf16,
  logits_grad_bf16_f32,
  logits_grad_f16,
  logits_grad_f16_f32,
  logits_grad_f32,
} from "./logprob-grad";
export { logits_grad_through_f32 } from "./logprob-through";
export * from "./losses.gen";
export { narrow_bf16, narrow_f16 } from "./narrow";
export { pack_columns_f32, pack_rows_f32 } from "./pack";
export { scan_f32, scan_i32, sum_f32 } from "./reduce";
export { SCRATCH_BYTES } from "./scratch";
export { argsort_f64, difference_f64, SORT_COUNTS_BYTES, scatter_f32 } from "./sort";
export { labels_f32, lengths_f32 } from "./labels";
export { odds_sum_f32 } from "./odds";
export { pair_stats_f32, row_stats_f32 } from "./stats";
export { transform_f32, transform_grad_f32 } from "./transform";
export { widen_bf16, widen_f16 } from "./widen";

/** The first byte of memory that the module leaves to its caller. */
export const HEAP_BASE: usize = __heap_base;
