// Scratch memory of the kernels. Each instance imports the address of its own: instances over one shared memory (the workers
// of a pool) have only the constants in common, which nobody writes.
// measured: the gradient kernel takes 4 % longer than with a constant address, whose loads need one register less.

// @ts-ignore: decorator
@external("env", "scratch")
declare const BASE: usize;

/** What the kernels keep about the current row (logprob-exp.ts): 10 float32. */
// @ts-ignore: decorator
@inline
export function row_scratch(): usize {
  return BASE;
}

/** The last 1 to 15 elements of a row, padded to 16, so that no kernel reads or writes outside the caller's arrays. */
// @ts-ignore: decorator
@inline
export function rest_scratch(): usize {
  return BASE + 64;
}

/** The gradient of those last elements. */
// @ts-ignore: decorator
@inline
export function rest_out_scratch(): usize {
  return BASE + 128;
}

/** Written so that the optimiser keeps loads whose value nobody uses. */
// @ts-ignore: decorator
@inline
export function seen_scratch(): usize {
  return BASE + 192;
}

/** Ten slots of eight float32: the padded tails of arrays. */
// @ts-ignore: decorator
@inline
export function tail_scratch(): usize {
  return BASE + 256;
}

/** The coefficients of tanh for the transform at hand (math.ts): 6 float32. */
// @ts-ignore: decorator
@inline
export function curve_scratch(): usize {
  return BASE + 576;
}

/** One block of float32: widened half-precision logits, and gradients before they are narrowed. */
// @ts-ignore: decorator
@inline
export function wide_scratch(): usize {
  return BASE + 640;
}

/** What one pass of a loss's kernel keeps for another, up to 32 numbers of each pair of a block; they have the room of wide rows. */
// @ts-ignore: decorator
@inline
export function kept_scratch(): usize {
  return wide_scratch();
}

/** Bytes of one such number in a block of 256 pairs. measured: half and twice of it are no faster. */
export const KEPT_BYTES: usize = 1024;

/** Size of an instance's scratch in bytes; it starts at a multiple of 64. */
export const SCRATCH_BYTES: usize = 640 + 32768;
