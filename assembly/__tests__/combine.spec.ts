import * as combine from "../combine";
import { exact_floats, floats, get, guards_hold, same, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

// Each formula below is the kernel's own arithmetic on one element: results are the same to the bit.

function expect_element(x: usize, i: usize, want: f32): void {
  if (!same(get(x, i), want)) expect(get(x, i)).toBe(want); // reported only where it fails: there are many
}

// A copy of y, on which a kernel may work in place.
function copy(y: usize, n: usize): usize {
  const x = floats(n);
  memory.copy(x, y, n << 2);
  return x;
}

function check_add(n: usize): void {
  const x = exact_floats(n);
  const y = exact_floats(n);
  const out = copy(y, n);
  combine.add_f32(x, out, n);
  for (let i: usize = 0; i < n; i++) expect_element(out, i, get(y, i) + get(x, i));
  expect(guards_hold(out, n)).toBe(true);
}

// A third of the factors are zero, against infinity or NaN.
function check_weigh(n: usize): void {
  const x = exact_floats(n);
  const y = exact_floats(n);
  for (let i: usize = 0; i < n; i += 3) {
    set(x, i, i & 1 ? 0 : -0.0);
    set(y, i, i & 2 ? Infinity : NaN);
  }
  const out = copy(y, n);
  combine.weigh_f32(x, out, n);
  for (let i: usize = 0; i < n; i++) expect_element(out, i, i % 3 == 0 ? 0 : get(y, i) * get(x, i));
  expect(guards_hold(out, n)).toBe(true);
}

function check_scale(n: usize): void {
  const y = exact_floats(n);
  const out = copy(y, n);
  combine.scale_f32(out, n, 0.3);
  for (let i: usize = 0; i < n; i++) expect_element(out, i, get(y, i) * 0.3);
  expect(guards_hold(out, n)).toBe(true);
}

// A third of the slopes and a third of the x are zero, against infinity or NaN.
function check_chain(n: usize): void {
  const x = exact_floats(n);
  const slope = exact_floats(n);
  for (let i: usize = 0; i < n; i++) {
    if (i % 3 == 0) continue;
    set(i % 3 == 1 ? slope : x, i, i & 1 ? 0 : -0.0);
    set(i % 3 == 1 ? x : slope, i, i & 2 ? Infinity : NaN);
  }
  const out = floats(n);
  const y = exact_floats(n);
  const other = floats(n);
  combine.chain_f32(slope, x, y, out, other, n);
  for (let i: usize = 0; i < n; i++) {
    expect_element(out, i, i % 3 == 0 ? get(slope, i) * get(x, i) : 0);
    expect_element(other, i, get(slope, i) == 0 || get(y, i) == 0 ? 0 : get(slope, i) * get(y, i));
  }
  expect(guards_hold(out, n)).toBe(true);
  expect(guards_hold(other, n)).toBe(true);
  const over = copy(slope, n);
  combine.chain_f32(over, x, y, over, other, n);
  for (let i: usize = 0; i < n; i++) expect_element(over, i, get(out, i));
}

function check_clear_empty(n: usize): void {
  const length = exact_floats(n);
  for (let i: usize = 0; i < n; i++) if (i % 3 == 0) set(length, i, 0);
  const y = exact_floats(n);
  for (let i: usize = 0; i < n; i++) if (i % 6 == 0) set(y, i, NaN);
  const out = copy(y, n);
  combine.clear_empty_f32(length, out, n);
  for (let i: usize = 0; i < n; i++) expect_element(out, i, get(length, i) == 0 ? 0 : get(y, i));
  expect(guards_hold(out, n)).toBe(true);
}

function check_scaled_difference(n: usize): void {
  const x = exact_floats(n);
  const y = exact_floats(n);
  const out = floats(n);
  combine.scaled_difference_f32(x, y, out, n, 0.1);
  for (let i: usize = 0; i < n; i++) expect_element(out, i, <f32>0.1 * (get(x, i) - get(y, i)));
  expect(guards_hold(out, n)).toBe(true);
}

function check_likelihood(n: usize): void {
  const pc = exact_floats(n);
  for (let i: usize = 2; i < n; i += 3) set(pc, i, NaN);
  const loss = floats(n);
  const gc = floats(n);
  const gr = floats(n);
  combine.likelihood_f32(pc, loss, gc, gr, n, 1.5, -0.25);
  for (let i: usize = 0; i < n; i++) {
    expect_element(loss, i, 1.5);
    expect_element(gc, i, i % 3 == 2 ? NaN : -0.25);
    expect_element(gr, i, 0);
  }
  expect(guards_hold(loss, n) && guards_hold(gc, n) && guards_hold(gr, n)).toBe(true);
}

describe("add_f32", () => {
  beforeAll(() => check_edges(check_add));
  edges();
});

describe("weigh_f32, zero times infinity", () => {
  beforeAll(() => check_edges(check_weigh));
  edges();
});

describe("scale_f32", () => {
  beforeAll(() => check_edges(check_scale));
  edges();
});

describe("chain_f32, zero times infinity, and in place", () => {
  beforeAll(() => check_edges(check_chain));
  edges();
});

describe("clear_empty_f32", () => {
  beforeAll(() => check_edges(check_clear_empty));
  edges();
});

describe("scaled_difference_f32", () => {
  beforeAll(() => check_edges(check_scaled_difference));
  edges();
});

describe("likelihood_f32, NaN log-probs", () => {
  beforeAll(() => check_edges(check_likelihood));
  edges();
});
