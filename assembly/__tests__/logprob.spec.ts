import {
  logits_stats_bf16,
  logits_stats_f16,
  logits_stats_f32,
  logsumexp_bf16,
  logsumexp_f16,
  logsumexp_f32,
} from "../logprob";
import { BF16, F16, F32, max_of, random_row, Row, SIZES, sum_exp, sum_exp_d } from "./support/rows";

const STATE = memory.data(40, 8);

function fresh(): void {
  memory.fill(STATE, 0, 40);
  store<f64>(STATE, -Infinity);
}

function state(i: usize): f64 {
  return load<f64>(STATE + (i << 3));
}

// 0 logsumexp, 1 logits_stats
function take(kernel: i32, row: Row, from: usize, n: usize): void {
  const x = row.at(from);
  if (row.type == F32) {
    if (kernel == 0) logsumexp_f32(x, n, STATE);
    else logits_stats_f32(x, n, STATE);
  } else if (row.type == F16) {
    if (kernel == 0) logsumexp_f16(x, n, STATE);
    else logits_stats_f16(x, n, STATE);
  } else {
    if (kernel == 0) logsumexp_bf16(x, n, STATE);
    else logits_stats_bf16(x, n, STATE);
  }
}

function close(got: f64, exact: f64, error: f64): void {
  if (got == exact) return;
  expect(abs(got - exact)).toBeLessThan(error);
}

function check(kernel: i32, row: Row): void {
  const max = max_of(row);
  expect(state(0)).toBe(max);
  const sum = sum_exp(row, max, 1);
  close(Math.log(state(1)), Math.log(sum), kernel == 1 ? 1e-6 : 5e-7);
  if (kernel == 0) return;
  const entropy = Math.log(sum) - sum_exp_d(row, max) / sum;
  close(Math.log(state(1)) - state(2) / state(1), entropy, 1e-6);
  close(Math.log(state(3)), Math.log(sum_exp(row, max, 2)), 2e-6);
  let total: f64 = 0;
  let size: f64 = 0;
  for (let i: usize = 0; i < row.n; i++) {
    total += row.get(i);
    size += abs(row.get(i));
  }
  close(state(4), total, 1e-6 * size);
}

function check_sizes(type: i32, centre: f64): void {
  for (let kernel = 0; kernel < 2; kernel++) {
    for (let k = 0; k < SIZES.length; k++) {
      const row = random_row(type, SIZES[k], centre);
      fresh();
      take(kernel, row, 0, row.n);
      check(kernel, row);
    }
  }
}

function check_special(type: i32): void {
  for (let kernel = 0; kernel < 2; kernel++) {
    const row = random_row(type, 37, 0);
    for (let i: usize = 0; i < 37; i++) if (i % 3 || i < 18) row.put(i, -Infinity);
    fresh();
    take(kernel, row, 0, 0);
    expect(state(0)).toBe(-Infinity);
    take(kernel, row, 0, 18); // all -Infinity
    expect(state(0)).toBe(-Infinity);
    for (let k: usize = 1; k < 4; k++) expect(state(k)).toBe(0);
    take(kernel, row, 18, 19);
    expect(state(0)).toBe(max_of(row));
    close(state(1), sum_exp(row, state(0), 1), 1e-6);
    if (kernel) close(state(2), sum_exp_d(row, state(0)), 3e-6);
    if (kernel == 1) expect(state(4)).toBe(-Infinity);
    row.put(36, NaN);
    take(kernel, row, 30, 7);
    expect(state(1)).toBeNaN();
    fresh();
    row.put(36, Infinity);
    take(kernel, row, 30, 7);
    expect(state(0)).toBe(Infinity);
    expect(state(1)).toBeNaN();
  }
}

function check_pieces(type: i32): void {
  for (let kernel = 0; kernel < 2; kernel++) {
    const row = random_row(type, 9001, 0);
    for (let i: usize = 0; i < row.n; i++) row.put(i, row.get(i) + <f64>i / 500); // the maximum keeps rising
    fresh();
    let from: usize = 0;
    for (let size: usize = 1; from < row.n; from += size, size = 2 * size + 3) {
      take(kernel, row, from, min(size, row.n - from));
    }
    check(kernel, row);
  }
}

describe("logsumexp, logits_stats", () => {
  it("float32: error of logsumexp below 5e-7, of the entropy below 1e-6", () => {
    check_sizes(F32, 0);
  });
  it("float32 at ±1e4: the same", () => {
    check_sizes(F32, 1e4);
    check_sizes(F32, -1e4);
  });
  it("float16: the same", () => {
    check_sizes(F16, 0);
  });
  it("bfloat16: the same", () => {
    check_sizes(BF16, 0);
  });
  it("-Infinity adds nothing; NaN and +Infinity make the sums NaN", () => {
    check_special(F32);
    check_special(F16);
    check_special(BF16);
  });
  it("a row in pieces of any size is the row", () => {
    check_pieces(F32);
    check_pieces(F16);
    check_pieces(BF16);
  });
  it("sums of equal logits are exact", () => {
    const row = new Row(F32, 4097);
    for (let i: usize = 0; i < 4097; i++) row.put(i, 3.3);
    for (let kernel = 0; kernel < 2; kernel++) {
      fresh();
      take(kernel, row, 0, 4097);
      expect(state(1)).toBe(4097);
    }
  });
});
