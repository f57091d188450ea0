// Memory that kernels write beside their outputs. Each instance has its own, at an address that it imports: instances that
// share one memory (the workers of a pool) share the constants, which nobody writes, and nothing else.
// measured: the gradient kernel takes 4 % more than with a constant address, whose loads need one register less.

// @ts-ignore: decorator
@external("env", "scratch")
declare const BASE: usize;

/** The row at hand (logprob-exp.ts): 10 float32. */
// @ts-ignore: decorator
@inline
export function row_scratch(): usize {
  return BASE;
}

/** Up to 15 elements, padded to 16, so that no kernel reads or writes outside the caller's arrays. */
// @ts-ignore: decorator
@inline
export function rest_scratch(): usize {
  return BASE + 64;
}

/** The gradient of such a rest. */
// @ts-ignore: decorator
@inline
export function rest_out_scratch(): usize {
  return BASE + 128;
}

/** Only keeps loads alive. */
// @ts-ignore: decorator
@inline
export function seen_scratch(): usize {
  return BASE + 192;
}

/** Nine vectors: the padded tails of arrays. */
// @ts-ignore: decorator
@inline
export function tail_scratch(): usize {
  return BASE + 256;
}

/** One block of float32: widened halves, and gradients before they are narrowed. */
// @ts-ignore: decorator
@inline
export function wide_scratch(): usize {
  return BASE + 512;
}

/** Bytes of it, at a multiple of 64. */
export const SCRATCH_BYTES: usize = 512 + 32768;
