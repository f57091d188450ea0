import { argsort_f64, difference_f64, SORT_COUNTS_BYTES, scatter_f32 } from "../sort";
import { exact_floats, floats, get, guards_hold, random } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

let keys: Float64Array = new Float64Array(0);

// Orders positions as argsort_f64 must: by key, NaN last, equal keys by position. Any sort by it is then stable.
function by_key_then_position(i: u32, j: u32): i32 {
  const a = keys[i];
  const b = keys[j];
  if (a < b || (a == a && b != b)) return -1;
  if (a > b || (a != a && b == b)) return 1;
  return <i32>i - <i32>j;
}

// Sorts a copy of `input`, and checks order, keys, and the words behind the arrays.
function check_sort(input: f64[]): void {
  const n = input.length;
  keys = new Float64Array(n);
  const want = new Array<u32>(n);
  const sorted = floats(2 * n);
  for (let i = 0; i < n; i++) {
    keys[i] = input[i];
    want[i] = i;
    store<f64>(sorted + (i << 3), input[i]);
  }
  want.sort(by_key_then_position);
  const order = floats(n);
  const keys2 = floats(2 * n);
  const order2 = floats(n);
  const counts = floats(SORT_COUNTS_BYTES >> 2);
  argsort_f64(sorted, order, keys2, order2, counts, n);
  for (let i = 0; i < n; i++) {
    const place = load<u32>(order + (i << 2));
    if (place != want[i]) expect(place).toBe(want[i], `order[${i}]`);
    const key = load<f64>(sorted + (i << 3));
    const same = key == input[place] || (key != key && input[place] != input[place]);
    if (!same) expect(key).toBe(input[place], `keys[${i}]`);
  }
  expect(guards_hold(sorted, 2 * n) && guards_hold(order, n)).toBe(true);
  expect(guards_hold(keys2, 2 * n) && guards_hold(order2, n)).toBe(true);
  expect(guards_hold(counts, SORT_COUNTS_BYTES >> 2)).toBe(true);
}

function made(n: i32, key: (i: i32) => f64): f64[] {
  const x = new Array<f64>(n);
  for (let i = 0; i < n; i++) x[i] = key(i);
  return x;
}

function check_difference(n: usize): void {
  const x = exact_floats(2 * n);
  const y = exact_floats(2 * n);
  for (let i: usize = 0; i < n; i++) {
    store<f64>(x + (i << 3), 3000 + <f64>i / 3);
    store<f64>(y + (i << 3), 3000.001);
  }
  const out = floats(n);
  difference_f64(x, y, out, n);
  for (let i: usize = 0; i < n; i++) expect(get(out, i)).toBe(<f32>(3000 + <f64>i / 3 - 3000.001));
  expect(guards_hold(out, n)).toBe(true);
}

// Puts elements where a permutation sends them: i -> 5·i mod n, where n has no factor 5.
function check_scatter(n: usize): void {
  if (n % 5 == 0) return;
  const x = exact_floats(n);
  const order = floats(n);
  for (let i = 0; i < <i32>n; i++) store<u32>(order + (i << 2), (5 * i) % <i32>n);
  const out = floats(n);
  scatter_f32(x, order, out, n);
  for (let i: usize = 0; i < n; i++) expect(get(out, (5 * i) % n)).toBe(get(x, i));
  expect(guards_hold(out, n)).toBe(true);
}

describe("argsort_f64", () => {
  it("sorts 0, 1, 2 and 3 keys", () => {
    check_sort([]);
    check_sort([-3]);
    check_sort([2, 1]);
    check_sort([1, 2]);
    check_sort([2, 3, 1]);
    check_sort([3, 1, 2]);
  });
  it("sorts 1000 keys of all magnitudes, both signs, with every bit in use", () => {
    check_sort(made(1000, () => reinterpret<f64>(random())));
  });
  it("sorts 1000 differences of float32 numbers", () => {
    check_sort(made(1000, () => <f64>(<i32>(random() >> 44) - (1 << 19)) / 256));
  });
  it("leaves what is sorted, and turns round what is reversed", () => {
    check_sort(made(1000, (i) => <f64>i / 7 - 50));
    check_sort(made(1000, (i) => 50 - <f64>i / 7));
  });
  it("keeps the order of equal keys", () => {
    check_sort(made(1000, () => -1.25));
    check_sort(made(1000, (i) => <f64>(i % 7) - 3));
    check_sort(made(1000, () => <f64>(random() & 15) * 0.1));
  });
  it("tells keys apart that float32 would not", () => {
    check_sort(made(100, (i) => 1000 + <f64>((i * 37) % 100) * 1e-12));
  });
  it("holds -0 and 0 equal", () => {
    check_sort([0, -0.0, 1, -0.0, 0, -1, -0.0]);
  });
  it("places infinities at the ends and NaN, of either sign, last", () => {
    const negative_nan = reinterpret<f64>(0xfff8000000000001);
    check_sort([NaN, Infinity, 1, -Infinity, negative_nan, f64.MAX_VALUE, -f64.MAX_VALUE, NaN, -Infinity, Infinity]);
    check_sort([NaN, negative_nan, NaN]);
  });
});

describe("difference_f64", () => {
  beforeAll(() => check_edges(check_difference));
  edges();
});

describe("scatter_f32", () => {
  beforeAll(() => check_edges(check_scatter));
  edges();
});
