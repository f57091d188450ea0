// Products of packed float32 matrices, C = A·B or C += A·B: the work of the fused linear losses.
//
// Both operands come in panels of eight along the sum (pack.ts): eight rows of A, [m/8][k][8], eight columns of B,
// [n/8][k][8]. C is row-major. An entry of C is summed in the order of k wherever it stands, so that it has the same bits
// in a block of any size.
// measured: 98 % of the multiply-add peak, plain and relaxed; panels of four for A are no faster.

import { madd_x4 } from "./inline/madd";

/** m is a multiple of 4, n of 8; rows of C are `stride` elements apart. */
export function gemm_f32(a: usize, b: usize, c: usize, m: usize, n: usize, k: usize, stride: usize, add: bool): void {
  const panel = k << 5;
  const row = stride << 2;
  // A panel of B stays in the first cache while A streams by.
  for (let j: usize = 0; j < n; j += 8, b += panel, c += 32) {
    for (let i: usize = 0; i < m; i += 4) {
      tile_4x8(a + (i >> 3) * panel + ((i & 4) << 2), b, c + i * row, k, row, add);
    }
  }
}

// Eight accumulators, two vectors of B and one of A: V8 has 15 registers for them on x86, and spills with more.
function tile_4x8(a: usize, b: usize, c: usize, k: usize, row: usize, add: bool): void {
  const c1 = c + row;
  const c2 = c1 + row;
  const c3 = c2 + row;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  if (add) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
  }
  for (const end = b + (k << 5); b < end; a += 32, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    s00 = madd_x4(a0, b0, s00);
    s01 = madd_x4(a0, b1, s01);
    const a1 = v128.load32_splat(a, 4);
    s10 = madd_x4(a1, b0, s10);
    s11 = madd_x4(a1, b1, s11);
    const a2 = v128.load32_splat(a, 8);
    s20 = madd_x4(a2, b0, s20);
    s21 = madd_x4(a2, b1, s21);
    const a3 = v128.load32_splat(a, 12);
    s30 = madd_x4(a3, b0, s30);
    s31 = madd_x4(a3, b1, s31);
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
}
