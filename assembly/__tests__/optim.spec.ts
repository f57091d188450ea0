import * as optim from "../optim";
import { exact_floats, floats, get, guards_hold, same, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

// The kernels' own arithmetic on one element: results are the same to the bit.

function expect_element(x: usize, i: usize, want: f32): void {
  if (!same(get(x, i), want)) expect(get(x, i)).toBe(want); // reported only where it fails: there are many
}

function copy(y: usize, n: usize): usize {
  const x = floats(n);
  memory.copy(x, y, n << 2);
  return x;
}

function squares(n: usize): usize {
  const x = exact_floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, get(x, i) * get(x, i));
  return x;
}

function check_adamw(n: usize): void {
  const g = exact_floats(n);
  const starts: StaticArray<usize> = [exact_floats(n), exact_floats(n), squares(n)];
  const p = copy(starts[0], n);
  const m = copy(starts[1], n);
  const v = copy(starts[2], n);
  optim.adamw_f32(p, g, m, v, n, 0.99, 0.9, 0.1, 0.999, 0.001, 0.03, 1e-8);
  for (let i: usize = 0; i < n; i++) {
    const slope = get(g, i);
    const mean: f32 = get(starts[1], i) * <f32>0.9 + slope * <f32>0.1;
    const square: f32 = get(starts[2], i) * <f32>0.999 + slope * <f32>0.001 * slope;
    expect_element(m, i, mean);
    expect_element(v, i, square);
    const step: f32 = (mean * <f32>0.03) / (sqrt<f32>(square) + <f32>1e-8);
    expect_element(p, i, get(starts[0], i) * <f32>0.99 - step);
  }
  expect(guards_hold(p, n) && guards_hold(g, n) && guards_hold(m, n) && guards_hold(v, n)).toBe(true);
}

function check_sgd(n: usize): void {
  const g = exact_floats(n);
  const start = exact_floats(n);
  for (let k = 0; k < 2; k++) {
    const decay: f32 = k == 0 ? 0 : 0.01;
    const p = copy(start, n);
    optim.sgd_f32(p, g, n, 0.1, decay);
    for (let i: usize = 0; i < n; i++) {
      const slope: f32 = decay == 0 ? get(g, i) : get(g, i) + get(start, i) * decay;
      expect_element(p, i, get(start, i) - slope * <f32>0.1);
    }
    expect(guards_hold(p, n)).toBe(true);
  }
}

function check_momentum(n: usize): void {
  const g = exact_floats(n);
  const start = exact_floats(n);
  const velocity = exact_floats(n);
  for (let k = 0; k < 4; k++) {
    const decay: f32 = k & 1 ? 0.01 : 0;
    const nesterov = k > 1;
    const p = copy(start, n);
    const b = copy(velocity, n);
    optim.sgd_momentum_f32(p, g, b, n, 0.1, decay, 0.9, 0.8, nesterov);
    for (let i: usize = 0; i < n; i++) {
      const slope: f32 = decay == 0 ? get(g, i) : get(g, i) + get(start, i) * decay;
      const next: f32 = get(velocity, i) * <f32>0.9 + slope * <f32>0.8;
      expect_element(b, i, next);
      expect_element(p, i, get(start, i) - (nesterov ? slope + next * <f32>0.9 : next) * <f32>0.1);
    }
    expect(guards_hold(p, n) && guards_hold(b, n)).toBe(true);
  }
}

function check_square_sum(n: usize): void {
  const x = exact_floats(n);
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += <f64>get(x, i) * <f64>get(x, i);
  expect(optim.square_sum_f32(x, n)).toBe(sum);
}

describe("adamw_f32", () => {
  beforeAll(() => {
    check_edges(check_adamw);
  });
  edges();

  it("gives an element whose gradient was always 0 no step", () => {
    const p = exact_floats(9);
    const start = copy(p, 9);
    const zeros: StaticArray<usize> = [floats(9), floats(9), floats(9)];
    for (let k = 0; k < 3; k++) memory.fill(zeros[k], 0, 9 << 2);
    optim.adamw_f32(p, zeros[0], zeros[1], zeros[2], 9, 1, 0.9, 0.1, 0.999, 0.001, 0.03, 1e-8);
    for (let i: usize = 0; i < 9; i++) expect_element(p, i, get(start, i));
  });
});

describe("sgd_f32", () => {
  beforeAll(() => {
    check_edges(check_sgd);
  });
  edges();
});

describe("sgd_momentum_f32", () => {
  beforeAll(() => {
    check_edges(check_momentum);
  });
  edges();
});

describe("square_sum_f32", () => {
  beforeAll(() => {
    check_edges(check_square_sum);
  });
  edges();

  it("does not overflow, nor lose the smallest numbers", () => {
    for (let n: usize = 1; n < 20; n++) {
      const x = floats(n);
      for (let i: usize = 0; i < n; i++) set(x, i, 3e38);
      expect(optim.square_sum_f32(x, n)).toBeLessThan(1e79);
      for (let i: usize = 0; i < n; i++) set(x, i, 1e-45);
      expect(optim.square_sum_f32(x, n)).toBeGreaterThan(0);
    }
  });
});
