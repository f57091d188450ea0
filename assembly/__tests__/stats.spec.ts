import { pair_stats_f32, row_stats_f32 } from "../stats";
import { exact_floats, floats, get, guards_hold, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

const SUMS: usize = 10; // five float64s, as float32s

function sums(): usize {
  const out = floats(SUMS);
  memory.fill(out, 0, SUMS << 2);
  return out;
}

function check(n: usize): void {
  const pc = exact_floats(n);
  const pr = exact_floats(n);
  const rc = exact_floats(n);
  const rr = exact_floats(n);
  const out = sums();
  store<f64>(out, 0.5, 32); // what is there stays in the sums
  pair_stats_f32(pc, pr, rc, rr, n, out);
  for (let i: usize = 0; i < n; i++) {
    const a = get(pc, i) - get(rc, i);
    const c = get(pr, i) - get(rr, i);
    store<f64>(out, load<f64>(out) - get(pc, i));
    store<f64>(out, load<f64>(out, 8) - get(pr, i), 8);
    store<f64>(out, load<f64>(out, 16) - a, 16);
    store<f64>(out, load<f64>(out, 24) - c, 24);
    store<f64>(out, load<f64>(out, 32) - (a > c ? 1 : 0), 32);
  }
  for (let k: usize = 0; k < 4; k++) expect(load<f64>(out + (k << 3))).toBe(0);
  expect(load<f64>(out, 32)).toBe(0.5);
  expect(guards_hold(out, SUMS)).toBe(true);
}

describe("pair_stats_f32", () => {
  beforeAll(() => {
    check_edges(check);
  });
  edges();

  it("counts neither a tie nor a NaN as a win", () => {
    const chosen = exact_floats(7);
    const zero = floats(7);
    memory.fill(zero, 0, 28);
    const out = sums();
    pair_stats_f32(chosen, chosen, zero, zero, 7, out);
    expect(load<f64>(out, 32)).toBe(0);
    const rejected = floats(7);
    for (let i: usize = 0; i < 7; i++) set(rejected, i, i & 1 ? NaN : -3000);
    pair_stats_f32(chosen, rejected, zero, zero, 7, out);
    expect(load<f64>(out, 32)).toBe(4);
  });
});

const ROW_SUMS: usize = 12; // six float64s, as float32s

function check_rows(n: usize): void {
  const policy = exact_floats(n);
  const reference = exact_floats(n);
  const desirable = floats(n);
  const out = floats(ROW_SUMS);
  memory.fill(out, 0, ROW_SUMS << 2);
  store<f64>(out, 0.5, 40); // what is there stays in the sums
  for (let i: usize = 0; i < n; i++) {
    set(desirable, i, i % 3 == 0 ? 1 : 0);
    if (i % 5 == 4) set(i & 1 ? policy : reference, i, NaN);
  }
  row_stats_f32(policy, reference, desirable, n, out);
  for (let i: usize = 0; i < n; i++) {
    const r = get(policy, i) - get(reference, i);
    if (r != r) continue;
    const at = out + (i % 3 == 0 ? 0 : 8);
    store<f64>(at, load<f64>(at) - get(policy, i));
    store<f64>(at, load<f64>(at, 16) - r, 16);
    store<f64>(at, load<f64>(at, 32) - 1, 32);
  }
  for (let k: usize = 0; k < 5; k++) expect(load<f64>(out + (k << 3))).toBe(0);
  expect(load<f64>(out, 40)).toBe(0.5);
  expect(guards_hold(out, ROW_SUMS)).toBe(true);
}

describe("row_stats_f32, with rows that have no log-ratio", () => {
  beforeAll(() => {
    check_edges(check_rows);
  });
  edges();
});
