import { GEMM_ROWS, gemm_f32 } from "../gemm";
import { pack_columns_f32, pack_rows_f32 } from "../pack";
import { floats, get, guards_hold, random, set } from "./support/buffers";

// Integers in ±8: sums of products are exact in any order.
function integers(n: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(<i32>(random() >> 60) - 8));
  return x;
}

function check_columns(m: usize, k: usize, width: usize): void {
  const stride = k + 3;
  const x = integers(m * stride);
  const out = floats(m * k);
  pack_columns_f32(x, stride, m, k, out, width);
  let misses = 0;
  for (let i: usize = 0; i < m; i++) {
    for (let j: usize = 0; j < k; j++) {
      const at = (i / width) * width * k + j * width + (i % width);
      if (get(out, at) != get(x, i * stride + j)) misses++;
    }
  }
  expect(misses).toBe(0);
  expect(guards_hold(out, m * k)).toBe(true);
}

function check_rows(m: usize, n: usize, width: usize, panel: usize): void {
  const stride = n + 8;
  const panels = (n + width - 1) / width;
  const x = integers(m * stride);
  const out = floats(panels * panel * width);
  pack_rows_f32(x, stride, m, n, out, panel, width);
  let misses = 0;
  for (let i: usize = 0; i < m; i++) {
    for (let j: usize = 0; j < n; j++) {
      if (get(out, ((j / width) * panel + i) * width + (j % width)) != get(x, i * stride + j)) misses++;
    }
  }
  expect(misses).toBe(0);
  expect(guards_hold(out, panels * panel * width)).toBe(true);
}

// C = X·Yᵀ, and twice that.
function check_gemm(m: usize, n: usize, k: usize): void {
  const whole = (k + 3) & ~3;
  const stride = n + 8;
  const x = integers(m * whole);
  const y = integers(n * whole);
  const a = floats(m * whole);
  const b = floats(n * whole);
  const c = floats(m * stride);
  for (let i: usize = 0; i < m; i++) for (let j = k; j < whole; j++) set(x, i * whole + j, 0);
  pack_columns_f32(x, whole, m, whole, a, GEMM_ROWS);
  pack_columns_f32(y, whole, n, whole, b, 8);
  const guard = get(c, n);
  for (let times: f32 = 1; times <= 2; times++) {
    gemm_f32(a, b, c, m, n, whole, stride, times == 2);
    let misses = 0;
    for (let i: usize = 0; i < m; i++) {
      for (let j: usize = 0; j < n; j++) {
        let sum: f32 = 0;
        for (let l: usize = 0; l < k; l++) sum += get(x, i * whole + l) * get(y, j * whole + l);
        if (get(c, i * stride + j) != times * sum) misses++;
      }
      for (let j = n; j < stride; j++) if (get(c, i * stride + j) != guard) misses++;
    }
    expect(misses).toBe(0);
    expect(guards_hold(c, m * stride)).toBe(true);
  }
}

describe("pack_columns_f32", () => {
  it("turns rows to lanes, in panels of 4, 6 and 8", () => {
    for (let width: usize = 4; width <= 8; width += 2) {
      check_columns(width, 4, width);
      check_columns(5 * width, 20, width);
    }
  });
});

describe("pack_rows_f32", () => {
  it("cuts rows to panels of 4, 6 and 8 columns", () => {
    for (let width: usize = 4; width <= 8; width += 2) {
      check_rows(1, 8, width, 1);
      check_rows(7, 40, width, 7);
      check_rows(3, 16, width, 11);
    }
  });
});

describe("gemm_f32", () => {
  it("multiplies and adds exactly what is exact, and writes nothing else", () => {
    for (let k: usize = 1; k < 30; k += 4) {
      check_gemm(GEMM_ROWS, 8, k);
      check_gemm(3 * GEMM_ROWS, 24, k);
    }
  });

  it("gives zeros for a sum of nothing", () => {
    const c = floats(GEMM_ROWS * 8);
    gemm_f32(c, c, c, GEMM_ROWS, 8, 0, 8, false);
    for (let i: usize = 0; i < GEMM_ROWS * 8; i++) expect(get(c, i)).toBe(0);
    expect(guards_hold(c, GEMM_ROWS * 8)).toBe(true);
  });
});
