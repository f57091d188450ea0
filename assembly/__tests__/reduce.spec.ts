import { scan_f32, scan_i32, sum_f32 } from "../reduce";
import { exact_floats, floats, get, guards_hold, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

const LAST: usize = 40; // sum_f32 takes 16 elements at a time: beyond two of those

function check_sum(n: usize): void {
  const x = exact_floats(n);
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += get(x, i);
  expect(sum_f32(x, n)).toBe(sum);
}

function check_scan(n: usize): void {
  const x = exact_floats(n);
  const out = floats(4);
  let least: f32 = f32.MAX_VALUE;
  for (let i: usize = 0; i < n; i++) least = min(least, get(x, i));
  scan_f32(x, n, out);
  expect(load<f64>(out)).toBe(least);
  expect(load<f64>(out, 8)).toBe(sum_f32(x, n));
  expect(guards_hold(out, 4)).toBe(true);
}

function check_integers(n: usize): void {
  const x = heap.alloc(4 * n + 16);
  const as_floats = floats(n);
  const out = floats(4);
  for (let i: usize = 0; i < n; i++) {
    const value = <i32>((i * 7919) % 1000) - (i == n - 1 ? 3000 : 0);
    store<i32>(x + 4 * i, value);
    set(as_floats, i, <f32>value);
  }
  scan_i32(x, n, out);
  const wanted = floats(4);
  scan_f32(as_floats, n, wanted);
  // The least of none is the largest number of either type.
  if (n > 0) expect(load<f64>(out)).toBe(load<f64>(wanted));
  expect(load<f64>(out, 8)).toBe(load<f64>(wanted, 8));
  expect(guards_hold(out, 4)).toBe(true);
}

describe("scan_i32, as scan_f32 of the same numbers", () => {
  beforeAll(() => {
    check_edges(check_integers);
  });
  edges();
});

describe("sum_f32", () => {
  beforeAll(() => {
    check_edges(check_sum);
  });
  edges();

  it("has an error of at most 1e-6 of the sum of magnitudes over 4096 elements", () => {
    const x = floats(4096);
    let sum: f64 = 0;
    for (let i: usize = 0; i < 4096; i++) {
      set(x, i, <f32>1 / <f32>(i + 1));
      sum += get(x, i);
    }
    expect(abs(sum_f32(x, 4096) - sum)).toBeLessThan(1e-6 * sum);
  });
  it("passes NaN and infinity on, wherever they stand", () => {
    for (let at: usize = 0; at < LAST; at++) {
      const x = exact_floats(LAST);
      set(x, at, -Infinity);
      expect(sum_f32(x, LAST)).toBe(-Infinity);
      set(x, at, NaN);
      expect(sum_f32(x, LAST)).toBeNaN();
    }
  });
});

describe("scan_f32", () => {
  beforeAll(() => {
    check_edges(check_scan);
  });
  edges();

  it("finds the least wherever it stands", () => {
    const out = floats(4);
    for (let at: usize = 0; at < LAST; at++) {
      const x = exact_floats(LAST);
      set(x, at, -5000);
      scan_f32(x, LAST, out);
      expect(load<f64>(out)).toBe(-5000);
    }
  });
  it("takes NaN for no least value, and gives a NaN sum", () => {
    const out = floats(4);
    for (let at: usize = 0; at < 7; at++) {
      const x = exact_floats(7);
      const least = (at + 1) % 7;
      set(x, least, -5000);
      set(x, at, NaN);
      scan_f32(x, 7, out);
      expect(load<f64>(out)).toBe(-5000);
      expect(load<f64>(out, 8)).toBeNaN();
    }
  });
});
