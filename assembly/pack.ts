// Packs row-major float32 into the panels that gemm.ts takes, `width` from 4 to 8. Rows are `stride` elements apart. Four
// lanes are moved at a time; the last move of a panel overlaps the one before.

/**
 * Panels for a sum over columns: `width` rows each, [m/width][k][width]. m is a multiple of width, k of 4.
 *
 *   [a0 a1 a2 …]
 *   [b0 b1 b2 …]  =>  [a0 b0 …, a1 b1 …, a2 b2 …, …]
 */
export function pack_columns_f32(x: usize, stride: usize, m: usize, k: usize, out: usize, width: usize): void {
  const row = stride << 2;
  const step = width << 2;
  for (let i: usize = 0; i < m; i += width, x += width * row, out += k * step) {
    transpose_x4(x, row, k, out, step);
    transpose_x4(x + (width - 4) * row, row, k, out + step - 16, step);
  }
}

// Transposes four rows into lanes: k columns, written `step` bytes apart.
function transpose_x4(x: usize, row: usize, k: usize, out: usize, step: usize): void {
  for (const end = x + (k << 2); x < end; x += 16, out += step << 2) {
    const a = v128.load(x);
    const b = v128.load(x + row);
    const c = v128.load(x + 2 * row);
    const d = v128.load(x + 3 * row);
    const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd2 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
    v128.store(out + step, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
    v128.store(out + 2 * step, v128.shuffle<f32>(ab2, cd2, 0, 1, 4, 5));
    v128.store(out + 3 * step, v128.shuffle<f32>(ab2, cd2, 2, 3, 6, 7));
  }
}

/**
 * Panels for a sum over rows: n columns, [n/width][panel][width], of which this call writes m rows. The last panel is read
 * whole, so up to width - 1 elements beyond n are read.
 *
 *   [a0 a1 … | …]
 *   [b0 b1 … | …]  =>  [a0 a1 …, b0 b1 …, …], [| …, …]
 */
export function pack_rows_f32(
  x: usize,
  stride: usize,
  m: usize,
  n: usize,
  out: usize,
  panel: usize,
  width: usize,
): void {
  const step = width << 2;
  for (let i: usize = 0; i < m; i++, x += stride << 2, out += step) {
    let to = out;
    for (let from = x, end = x + (n << 2); from < end; from += step, to += panel * step) {
      v128.store(to, v128.load(from));
      v128.store(to + step - 16, v128.load(from + step - 16));
    }
  }
}
