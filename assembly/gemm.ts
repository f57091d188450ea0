// Products of packed float32 matrices, C = A·B or C += A·B: where the fused linear losses spend their time.
//
// Both operands are packed into panels along the summed dimension (pack.ts): GEMM_ROWS rows of A, [m/rows][k][rows], and
// eight columns of B, [n/8][k][8]. C is row-major. Each entry of C is summed in the order of k wherever it stands, so its
// bits depend neither on the size of the block nor on the tile.
// measured: 98 % of what the tile reaches on cached data, plain and relaxed.

import { madd_x4 } from "./inline/madd";

// Six rows need 15 registers, all that V8 has on x86, and keep the units busy where multiply and add are one instruction.
// The plain module is bound by arithmetic with four rows already, and no engine spills four.
// measured: Node 26 relaxed 53 / 63 GFLOP/s with four / six, plain 46 / 46; Node 22 53 / 62 and 46 / 46.
const SIX: bool = ASC_FEATURE_RELAXED_SIMD;

/** Rows of a panel of A. */
export const GEMM_ROWS: usize = SIX ? 6 : 4;

/** m is a multiple of GEMM_ROWS, n of 8; rows of C are `stride` elements apart. */
export function gemm_f32(a: usize, b: usize, c: usize, m: usize, n: usize, k: usize, stride: usize, add: bool): void {
  const row = stride << 2;
  // A panel of B stays in the L1 cache while A streams past.
  for (let j: usize = 0; j < n; j += 8, b += k << 5, c += 32) {
    for (let i: usize = 0; i < m; i += GEMM_ROWS) tile(a + ((i * k) << 2), b, c + i * row, k, row, add);
  }
}

function tile(a: usize, b: usize, c: usize, k: usize, row: usize, add: bool): void {
  const c1 = c + row;
  const c2 = c1 + row;
  const c3 = c2 + row;
  const c4 = c3 + row;
  const c5 = c4 + row;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  let s40 = s00;
  let s41 = s00;
  let s50 = s00;
  let s51 = s00;
  if (add) {
    s00 = v128.load(c);
    s01 = v128.load(c, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
    if (SIX) {
      s40 = v128.load(c4);
      s41 = v128.load(c4, 16);
      s50 = v128.load(c5);
      s51 = v128.load(c5, 16);
    }
  }
  for (const end = b + (k << 5); b < end; a += GEMM_ROWS << 2, b += 32) {
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
    if (SIX) {
      const a4 = v128.load32_splat(a, 16);
      s40 = madd_x4(a4, b0, s40);
      s41 = madd_x4(a4, b1, s41);
      const a5 = v128.load32_splat(a, 20);
      s50 = madd_x4(a5, b0, s50);
      s51 = madd_x4(a5, b1, s51);
    }
  }
  v128.store(c, s00);
  v128.store(c, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
  if (SIX) {
    v128.store(c4, s40);
    v128.store(c4, s41, 16);
    v128.store(c5, s50);
    v128.store(c5, s51, 16);
  }
}
