import { pair_hinge_f32, pair_ipo_f32, pair_sigmoid_f32, pair_sppo_hard_f32 } from "../losses.gen";
import { get } from "./support/buffers";
import { Kernel, Pairs } from "./support/pairs";
import { ulps } from "./support/ulp";

// Constants as src/plan/constants.gen.ts makes them, of β = 1/8, gradScale = 2 and no smoothing.
const SIGMOID: StaticArray<f32> = [0.125, 0, -3e38, 0.25, 1];
const HINGE: StaticArray<f32> = [1, 0.125, 2, -0.125];
const IPO: StaticArray<f32> = [1, 4, 4, -4];
const SPPO_HARD: StaticArray<f32> = [4, 4];

const N: usize = 4099;

let worst: f64 = 0;

function compare(x: usize, i: usize, exact: f64): void {
  worst = max(worst, ulps(get(x, i), exact));
}

function run(kernel: Kernel, constants: StaticArray<f32>): Pairs {
  const pairs = new Pairs(N);
  pairs.run(kernel, constants, 0, N);
  worst = 0;
  return pairs;
}

describe("pair_sigmoid_f32", () => {
  it("has an error of at most 4 ulp of softplus(-z), z in ±32", () => {
    const pairs = run(pair_sigmoid_f32, SIGMOID);
    for (let i: usize = 0; i < N; i++) {
      const z = 0.125 * (pairs.a(i) - pairs.c(i));
      compare(pairs.loss, i, NativeMath.log1p(NativeMath.exp(-abs(z))) - min(z, 0));
    }
    expect(worst).toBeLessThanOrEqual(4);
  });
  it("has gradients with an error of at most 4 ulp of ∓gradScale·β·σ(-z)", () => {
    const pairs = run(pair_sigmoid_f32, SIGMOID);
    for (let i: usize = 0; i < N; i++) {
      const slope = -0.25 / (1 + NativeMath.exp(0.125 * (pairs.a(i) - pairs.c(i))));
      compare(pairs.gc, i, slope);
      compare(pairs.gr, i, -slope);
    }
    expect(worst).toBeLessThanOrEqual(4);
  });
});

describe("pair_hinge_f32", () => {
  it("is exact where z is", () => {
    const pairs = run(pair_hinge_f32, HINGE);
    for (let i: usize = 0; i < N; i++) {
      const slack = 1 - 0.125 * (pairs.a(i) - pairs.c(i));
      compare(pairs.loss, i, max(slack, 0));
      compare(pairs.gc, i, slack > 0 ? -0.25 : 0);
      compare(pairs.gr, i, slack > 0 ? 0.25 : 0);
    }
    expect(worst).toBe(0);
  });
});

describe("pair_ipo_f32", () => {
  it("has an error of at most 2 ulp", () => {
    const pairs = run(pair_ipo_f32, IPO);
    for (let i: usize = 0; i < N; i++) {
      const chosen_length: f64 = get(pairs.nw, i);
      const rejected_length: f64 = get(pairs.nl, i);
      const error = pairs.a(i) / chosen_length - pairs.c(i) / rejected_length - 4;
      compare(pairs.loss, i, error * error);
      compare(pairs.gc, i, (4 * error) / chosen_length);
      compare(pairs.gr, i, (-4 * error) / rejected_length);
    }
    expect(worst).toBeLessThanOrEqual(2);
  });
});

describe("pair_sppo_hard_f32", () => {
  it("has an error of at most 2 ulp, and exact gradients", () => {
    const pairs = run(pair_sppo_hard_f32, SPPO_HARD);
    for (let i: usize = 0; i < N; i++) {
      const up = pairs.a(i) - 4;
      const down = pairs.c(i) + 4;
      compare(pairs.loss, i, up * up + down * down);
      expect(get(pairs.gc, i) == 4 * up && get(pairs.gr, i) == 4 * down).toBe(true);
    }
    expect(worst).toBeLessThanOrEqual(2);
  });
});
