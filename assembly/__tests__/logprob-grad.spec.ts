import {
  logits_grad_bf16,
  logits_grad_bf16_f32,
  logits_grad_f16,
  logits_grad_f16_f32,
  logits_grad_f32,
} from "../logprob-grad";
import { floats, get, guards_hold } from "./support/buffers";
import { all_are, BF16, F16, F32, max_of, random_row, Row, SIZES, sum_exp } from "./support/rows";
import { is_denormal } from "./support/ulp";

const NONE: usize = -1;

function same_type(row: Row, out: usize, label: usize, g: f64, max: f64, sum: f64): void {
  if (row.type == F32) logits_grad_f32(row.x, out, row.n, label, g, max, sum);
  else if (row.type == F16) logits_grad_f16(row.x, out, row.n, label, g, max, sum);
  else logits_grad_bf16(row.x, out, row.n, label, g, max, sum);
}

function wide(row: Row, out: usize, label: usize, g: f64, max: f64, sum: f64): void {
  if (row.type == F32) logits_grad_f32(row.x, out, row.n, label, g, max, sum);
  else if (row.type == F16) logits_grad_f16_f32(row.x, out, row.n, label, g, max, sum);
  else logits_grad_bf16_f32(row.x, out, row.n, label, g, max, sum);
}

function check(row: Row, g: f64): void {
  const n = row.n;
  const label: usize = (n * 7) / 9;
  const most = max_of(row);
  const sum = sum_exp(row, most, 1);
  const out = floats(n);
  wide(row, out, label, g, most, sum);
  let worst: f64 = 0;
  let total: f64 = 0;
  for (let i: usize = 0; i < n; i++) {
    const exact = g * ((i == label ? 1 : 0) - Math.exp(row.get(i) - most) / sum);
    const error = abs(<f64>get(out, i) - exact);
    worst = error > worst ? error : worst;
    total += get(out, i);
  }
  expect(worst).toBeLessThan(2e-7 * abs(g));
  expect(abs(total)).toBeLessThan(4e-7 * abs(g));
  expect(guards_hold(out, n)).toBe(true);
  // In the type of the logits, in place: the same numbers, rounded.
  same_type(row, row.x, label, g, most, sum);
  let misses = 0;
  for (let i: usize = 0; i < n; i++) {
    const value = <f64>get(out, i);
    const spacing = row.type == F32 ? 0 : row.type == F16 ? max(6e-8, abs(value) / 1024) : abs(value) / 128;
    if (!(abs(row.get(i) - value) <= spacing / 2)) misses++;
  }
  expect(misses).toBe(0);
}

function check_sizes(type: i32, centre: f64): void {
  for (let k = 0; k < SIZES.length; k++) {
    check(random_row(type, SIZES[k], centre), 1);
    check(random_row(type, SIZES[k], centre), -0.003);
  }
}

function check_special(type: i32): void {
  const row = random_row(type, 37, 0);
  row.put(5, -Infinity);
  row.put(30, NaN);
  const out = floats(37);
  wide(row, out, NONE, 0.5, 9, 40);
  expect(get(out, 5)).toBe(0);
  expect(get(out, 30)).toBeNaN();
  expect(get(out, 4)).toBeLessThan(0);
  same_type(row, row.x, 6, 0, 9, 40);
  for (let i: usize = 0; i < 37; i++) expect(row.get(i)).toBe(0);
  wide(row, out, 36, 0.5, 9, NaN);
  expect(all_are(out, 37, NaN)).toBe(true);
  wide(row, out, 36, 0.5, -Infinity, 0);
  expect(all_are(out, 37, NaN)).toBe(true);
}

// Sizes of one vector, and of a block and a rest; probabilities from 1 to such as no float32 holds.
function check_infinite(type: i32, n: usize, g: f64): void {
  const row = random_row(type, n, -200);
  const most = n / 2;
  row.put(most, 9);
  row.put(0, -Infinity);
  const out = floats(n);
  wide(row, out, 1, g, 9, 1 + 1e-3);
  expect(get(out, 0)).toBe(0);
  expect(get(out, 1)).toBe(<f32>g);
  for (let i: usize = 2; i < n; i++) expect(get(out, i)).toBe(<f32>-g);
  // A label that has all of the probability, one of -Infinity, and a row that has none.
  wide(row, out, most, g, 9, 1 + 1e-9);
  expect(get(out, most)).toBe(0);
  expect(get(out, 1)).toBe(<f32>-g);
  wide(row, out, 0, g, 9, 1 + 1e-9);
  expect(get(out, 0)).toBe(<f32>g);
  expect(get(out, most)).toBe(<f32>-g);
  wide(row, out, 1, g, 9, NaN);
  expect(all_are(out, n, NaN)).toBe(true);
  same_type(row, row.x, 1, g, 9, 2);
  expect(<f32>row.get(0)).toBe(0);
  expect(<f32>row.get(1)).toBe(<f32>g);
  expect(<f32>row.get(most)).toBe(<f32>-g);
  expect(guards_hold(out, n)).toBe(true);
}

describe("logits_grad", () => {
  it("float32: within 2e-7·|g|, rows sum to 0", () => {
    check_sizes(F32, 0);
  });
  it("float32 at ±1e4: the same", () => {
    check_sizes(F32, 1e4);
    check_sizes(F32, -1e4);
  });
  it("float16: the same, and rounded once", () => {
    check_sizes(F16, 0);
  });
  it("bfloat16: the same, and rounded once", () => {
    check_sizes(BF16, 0);
  });
  it("no denormals: normal numbers or 0", () => {
    const row = new Row(F32, 4099);
    const out = floats(4099);
    for (let i: usize = 0; i < 4099; i++) row.put(i, -75 - <f64>i / 160);
    let denormals = 0;
    for (let g = 1e-6; g < 2e6; g *= 1.7) {
      logits_grad_f32(row.x, out, 4099, NONE, g, 0, 1);
      for (let i: usize = 0; i < 4099; i++) if (is_denormal(get(out, i))) denormals++;
    }
    expect(denormals).toBe(0);
  });
  it("zeros for g = 0 and -Infinity, NaN for NaN", () => {
    check_special(F32);
    check_special(F16);
    check_special(BF16);
  });
  it("an infinite g: infinities, and 0 where a factor is 0", () => {
    for (let type = F32; type <= BF16; type++) {
      check_infinite(type, 37, Infinity);
      check_infinite(type, 9001, -Infinity);
      check_infinite(type, 32785, -1e39);
    }
  });
});
