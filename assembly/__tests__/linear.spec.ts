import { linear_grad_f32, linear_sums_f32 } from "../linear";
import { logits_stats_f32, logsumexp_f32 } from "../logprob";
import { logits_grad_f32 } from "../logprob-grad";
import { floats, get, guards_hold, random, same, set } from "./support/buffers";

const ROWS: usize = 5;
const NONE: usize = -1;
const SUMS: usize = 7;

// Two tiles of some columns each, of rows that lie further apart.
function check(n: usize, all: bool): void {
  const stride = n + 5;
  const sums = floats(2 * SUMS * ROWS);
  const whole = floats(10);
  const ids = floats(ROWS);
  const rows = floats(ROWS * 2 * n);
  for (let i: usize = 0; i < ROWS * 2 * n; i++) set(rows, i, <f32>(<i32>(random() >> 54) - 512) / 64);
  for (let r: usize = 0; r < ROWS; r++) {
    // The greatest twice: the first counts.
    const most = (r * 3) % n;
    set(rows, r * 2 * n + most, 9);
    set(rows, r * 2 * n + n + most, 9);
    store<u32>(ids + (r << 2), <u32>((r * 7) % (2 * n)));
    memory.fill(sums + r * 56, 0, 56);
    store<f64>(sums + r * 56, -Infinity);
  }
  const tile = floats(ROWS * stride);
  for (let from: usize = 0; from < 2 * n; from += n) {
    for (let r: usize = 0; r < ROWS; r++) {
      memory.copy(tile + ((r * stride) << 2), rows + ((r * 2 * n + from) << 2), n << 2);
    }
    linear_sums_f32(tile, stride, ROWS, n, from, ids, sums, all);
  }
  for (let r: usize = 0; r < ROWS; r++) {
    const row = rows + ((r * 2 * n) << 2);
    memory.fill(whole, 0, 40);
    store<f64>(whole, -Infinity);
    for (let from: usize = 0; from < 2 * n; from += n) {
      if (all) logits_stats_f32(row + (from << 2), n, whole);
      else logsumexp_f32(row + (from << 2), n, whole);
    }
    const own = sums + r * 56;
    for (let k: usize = 0; k < 5; k++) expect(load<f64>(own + (k << 3))).toBe(load<f64>(whole + (k << 3)));
    expect(load<f64>(own, 40)).toBe(<f64>get(row, (r * 7) % (2 * n)));
    expect(load<f64>(own, 48)).toBe(<f64>((r * 3) % n));
  }
  expect(guards_hold(sums, 2 * SUMS * ROWS)).toBe(true);

  // The second tile is still there: its gradient is that of its rows one by one.
  const slopes = floats(6 * ROWS);
  for (let r: usize = 0; r < ROWS; r++) {
    store<f64>(slopes + r * 24, r == 2 ? 0 : 0.5 - <f64>r);
    store<f64>(slopes + r * 24, 9, 8);
    store<f64>(slopes + r * 24, load<f64>(sums + r * 56, 8), 16);
  }
  linear_grad_f32(tile, stride, ROWS, n, n, ids, slopes);
  const gradient = floats(n);
  for (let r: usize = 0; r < ROWS; r++) {
    const id = (r * 7) % (2 * n);
    const at = slopes + r * 24;
    const label = id >= n ? id - n : NONE;
    const row = rows + ((r * 2 * n + n) << 2);
    logits_grad_f32(row, gradient, n, label, load<f64>(at), load<f64>(at, 8), load<f64>(at, 16));
    let misses = 0;
    for (let i: usize = 0; i < n; i++) if (!same(get(tile, r * stride + i), get(gradient, i))) misses++;
    expect(misses).toBe(0);
  }
  expect(guards_hold(tile, ROWS * stride)).toBe(true);
}

describe("linear_sums_f32 and linear_grad_f32", () => {
  it("are the kernels of rows, tile by tile; labels and first greatest ids of the whole", () => {
    const sizes: usize[] = [1, 3, 8, 16, 31, 120];
    for (let k = 0; k < sizes.length; k++) {
      check(sizes[k], false);
      check(sizes[k], true);
    }
  });
});
