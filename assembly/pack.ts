// Row-major float32 to the panels of eight that gemm.ts takes. Rows are `stride` elements apart.

/**
 * For a sum over columns: eight rows after another, [m/8][k][8]. m is a multiple of 8, k of 4.
 *
 *   [a0 a1 a2 …]
 *   [b0 b1 b2 …]  =>  [a0 b0 … h0, a1 b1 … h1, a2 b2 … h2, …]
 */
export function pack_columns_f32(x: usize, stride: usize, m: usize, k: usize, out: usize): void {
  const row = stride << 2;
  for (let i: usize = 0; i < m; i += 8, x += row << 3, out += k << 5) {
    transpose_x4(x, row, k, out);
    transpose_x4(x + (row << 2), row, k, out + 16);
  }
}

// Four rows to lanes: k columns, 32 bytes apart.
function transpose_x4(x: usize, row: usize, k: usize, out: usize): void {
  for (const end = x + (k << 2); x < end; x += 16, out += 128) {
    const a = v128.load(x);
    const b = v128.load(x + row);
    const c = v128.load(x + 2 * row);
    const d = v128.load(x + 3 * row);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(out, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), 32);
    v128.store(out, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5), 64);
    v128.store(out, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7), 96);
  }
}

/**
 * For a sum over rows: n columns in eights, [n/8][panel][8], of which these are m rows. n is a multiple of 8.
 *
 *   [a0 … a7 a8 …]
 *   [b0 … b7 b8 …]  =>  [a0 … a7, b0 … b7, …], [a8 …, b8 …, …]
 */
export function pack_rows_f32(x: usize, stride: usize, m: usize, n: usize, out: usize, panel: usize): void {
  for (let i: usize = 0; i < m; i++, x += stride << 2, out += 32) {
    let to = out;
    for (let j: usize = 0; j < n << 2; j += 32, to += panel << 5) {
      v128.store(to, v128.load(x + j));
      v128.store(to, v128.load(x + j, 16), 16);
    }
  }
}
