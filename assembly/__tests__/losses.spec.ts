import * as losses from "../losses.gen";
import { get, same, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";
import { Kernel, Pairs } from "./support/pairs";

// Any constants do here; losses-formula.spec.ts has the ones that hyperparameters make.
const constants = new StaticArray<f32>(16).fill(0.125);

let kernel: Kernel = losses.pair_sigmoid_f32;

// Nothing is written outside [0, n), and each pair gives the bits that it gives alone, by way of the padded tail.
function check(n: usize): void {
  const together = new Pairs(n);
  together.run(kernel, constants, 0, n);
  expect(together.guards_hold()).toBe(true);
  const alone = together.copy();
  for (let i: usize = 0; i < n; i++) alone.run(kernel, constants, i, 1);
  expect_same(together.loss, alone.loss, n, "loss");
  expect_same(together.gc, alone.gc, n, "gc");
  expect_same(together.gr, alone.gr, n, "gr");
}

function expect_same(x: usize, y: usize, n: usize, what: string): void {
  for (let i: usize = 0; i < n; i++) {
    if (!same(get(x, i), get(y, i))) expect(get(x, i)).toBe(get(y, i), `${what}[${i}]`);
  }
}

// A NaN in one of the pair's four log-probs makes its three results NaN, and leaves the other pairs' bits.
function check_nan(n: usize): void {
  for (let i: usize = 0; i < n; i++) {
    const clean = new Pairs(n);
    clean.run(kernel, constants, 0, n);
    const pairs = clean.copy();
    const input = i % 4 == 0 ? pairs.pc : i % 4 == 1 ? pairs.pr : i % 4 == 2 ? pairs.rc : pairs.rr;
    const at = (i * 3) % n;
    set(input, at, NaN);
    set(clean.loss, at, NaN);
    set(clean.gc, at, NaN);
    set(clean.gr, at, NaN);
    pairs.run(kernel, constants, 0, n);
    expect_same(pairs.loss, clean.loss, n, "loss");
    expect_same(pairs.gc, clean.gc, n, "gc");
    expect_same(pairs.gr, clean.gr, n, "gr");
  }
}

function use(f: Kernel): void {
  kernel = f;
  check_edges(check);
}

function loss_kernel(): void {
  edges();
  it("passes NaN on to all of its pair's results, and to no other's", () => {
    check_nan(4);
    check_nan(11);
  });
}

describe("pair_sigmoid_f32", () => {
  beforeAll(() => use(losses.pair_sigmoid_f32));
  loss_kernel();
});

describe("pair_sigmoid_unsmoothed_f32", () => {
  beforeAll(() => use(losses.pair_sigmoid_unsmoothed_f32));
  loss_kernel();
});

describe("pair_sigmoid_norm_f32", () => {
  beforeAll(() => use(losses.pair_sigmoid_norm_f32));
  loss_kernel();
});

describe("pair_hinge_f32", () => {
  beforeAll(() => use(losses.pair_hinge_f32));
  loss_kernel();
});

describe("pair_ipo_f32", () => {
  beforeAll(() => use(losses.pair_ipo_f32));
  loss_kernel();
});

describe("pair_exo_pair_f32", () => {
  beforeAll(() => use(losses.pair_exo_pair_f32));
  loss_kernel();
});

describe("pair_nca_pair_f32", () => {
  beforeAll(() => use(losses.pair_nca_pair_f32));
  loss_kernel();
});

describe("pair_robust_f32", () => {
  beforeAll(() => use(losses.pair_robust_f32));
  loss_kernel();
});

describe("pair_bco_pair_f32", () => {
  beforeAll(() => use(losses.pair_bco_pair_f32));
  loss_kernel();
});

describe("pair_sppo_hard_f32", () => {
  beforeAll(() => use(losses.pair_sppo_hard_f32));
  loss_kernel();
});

describe("pair_apo_zero_f32", () => {
  beforeAll(() => use(losses.pair_apo_zero_f32));
  loss_kernel();
});

describe("pair_apo_down_f32", () => {
  beforeAll(() => use(losses.pair_apo_down_f32));
  loss_kernel();
});

describe("pair_discopop_f32", () => {
  beforeAll(() => use(losses.pair_discopop_f32));
  loss_kernel();
});

describe("margin_js_f32", () => {
  beforeAll(() => use(losses.margin_js_f32));
  edges();
});

describe("margin_power_f32", () => {
  beforeAll(() => use(losses.margin_power_f32));
  edges();
});
