import { exp_neg_abs_x4, exp_x4, expm1_x4, log_x4, log1p_x4, neg_x4, softplus_log_x4, tanh_x4 } from "../math";
import { same } from "./support/buffers";
import { EXP_LAST, made_denormals, sweep_exp, sweep_exp_neg_abs, sweep_expm1, sweep_log, sweep_log1p, sweep_softplus_log, sweep_tanh } from "./sweep";

const STRIDE: u32 = 509; // of the float32 numbers; test/slow-math.test.ts takes every one
const END: u32 = 0xffffffff; // the last of them: 0 ... Infinity, NaNs, -0 ... -Infinity, NaNs

function bits(x: f32): u32 {
  return reinterpret<u32>(x);
}

function at(f: (x: v128) => v128, x: f32): f32 {
  return f32x4.extract_lane(f(f32x4.splat(x)), 0);
}

// Each lane gives what it gives alone, whatever the others hold.
function lanes_are_apart(f: (x: v128) => v128): bool {
  const values: StaticArray<f32> = [0.5, NaN, 1, Infinity, 0.001, -Infinity, -3, 200, -200, 0, 1e-40];
  for (let i = 0; i + 4 <= values.length; i++) {
    const y = f(v128.load(changetype<usize>(values) + (i << 2)));
    if (!same(f32x4.extract_lane(y, 0), at(f, values[i]))) return false;
    if (!same(f32x4.extract_lane(y, 1), at(f, values[i + 1]))) return false;
    if (!same(f32x4.extract_lane(y, 2), at(f, values[i + 2]))) return false;
    if (!same(f32x4.extract_lane(y, 3), at(f, values[i + 3]))) return false;
  }
  return true;
}

describe("exp_x4", () => {
  it("has an error of at most 1.01 ulp on [-86.99, 88.72], is 0 below and infinity above", () => {
    expect(sweep_exp(0, END, STRIDE)).toBeLessThanOrEqual(1.01);
  });
  it("makes no denormals", () => {
    sweep_exp(bits(-86), bits(-89), 1);
    expect(made_denormals()).toBe(0);
  });
  it("is exact at 0, 0 at -Infinity, Infinity at Infinity, NaN at NaN", () => {
    expect(at(exp_x4, 0)).toBe(1);
    expect(at(exp_x4, -0.0)).toBe(1);
    expect(at(exp_x4, -Infinity)).toBe(0);
    expect(at(exp_x4, Infinity)).toBe(Infinity);
    expect(at(exp_x4, NaN)).toBeNaN();
  });
  it("turns to 0 between two neighbours at the lower clamp, to infinity at the upper", () => {
    expect(at(exp_x4, EXP_LAST)).toBeGreaterThan(1.6624e-38);
    expect(at(exp_x4, -86.98998)).toBe(0);
    expect(at(exp_x4, 88.72283)).toBeLessThan(Infinity);
    expect(at(exp_x4, 88.72284)).toBe(Infinity);
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(exp_x4)).toBe(true);
  });
});

describe("exp_neg_abs_x4", () => {
  it("has an error of at most 1.01 ulp on ±86.99, is 0 beyond", () => {
    expect(sweep_exp_neg_abs(0, END, STRIDE)).toBeLessThanOrEqual(1.01);
  });
  it("makes no denormals", () => {
    sweep_exp_neg_abs(bits(86), bits(89), 1);
    expect(made_denormals()).toBe(0);
  });
  it("is exact at 0, 0 at both infinities, NaN at NaN", () => {
    expect(at(exp_neg_abs_x4, 0)).toBe(1);
    expect(at(exp_neg_abs_x4, -0.0)).toBe(1);
    expect(at(exp_neg_abs_x4, -Infinity)).toBe(0);
    expect(at(exp_neg_abs_x4, Infinity)).toBe(0);
    expect(at(exp_neg_abs_x4, NaN)).toBeNaN();
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(exp_neg_abs_x4)).toBe(true);
  });
});

describe("expm1_x4", () => {
  it("has an error of at most 1.61 ulp everywhere, is infinity above 88.72", () => {
    expect(sweep_expm1(0, END, STRIDE)).toBeLessThanOrEqual(1.61);
  });
  it("makes a denormal of a denormal alone", () => {
    sweep_expm1(bits(1e-38), bits(1e-37), 7);
    expect(made_denormals()).toBe(0);
    sweep_expm1(bits(-1e-38), bits(-1e-37), 7);
    expect(made_denormals()).toBe(0);
  });
  it("is 0 at 0, -1 at -Infinity, Infinity at Infinity, NaN at NaN", () => {
    expect(at(expm1_x4, 0)).toBe(0);
    expect(at(expm1_x4, -0.0)).toBe(0);
    expect(at(expm1_x4, -Infinity)).toBe(-1);
    expect(at(expm1_x4, Infinity)).toBe(Infinity);
    expect(at(expm1_x4, NaN)).toBeNaN();
  });
  it("is -1 from the lower clamp down", () => {
    expect(at(expm1_x4, -17.5)).toBe(-1);
    expect(at(expm1_x4, -16.5)).toBeGreaterThan(-1);
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(expm1_x4)).toBe(true);
  });
});

describe("log1p_x4", () => {
  it("has an error of at most 3.77 ulp on [0, 1]", () => {
    expect(sweep_log1p(0, bits(1), STRIDE)).toBeLessThanOrEqual(3.77);
    expect(sweep_log1p(bits(0.03125), bits(1), 7)).toBeLessThanOrEqual(3.77);
  });
  it("makes a denormal of a denormal alone", () => {
    sweep_log1p(bits(1e-38), bits(1e-37), 7);
    expect(made_denormals()).toBe(0);
  });
  it("is 0 at 0, NaN at NaN", () => {
    expect(at(log1p_x4, 0)).toBe(0);
    expect(at(log1p_x4, NaN)).toBeNaN();
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(log1p_x4)).toBe(true);
  });
});

describe("log_x4", () => {
  it("has an error of at most 4 ulp, of 1/8 at least, over all normal numbers", () => {
    expect(sweep_log(0x00800000, 0x7f7fffff, STRIDE)).toBeLessThanOrEqual(8);
    expect(sweep_log(bits(0.5), bits(2), 7)).toBeLessThanOrEqual(8);
  });
  it("is 0 at 1, -Infinity at both zeros, Infinity at Infinity, NaN below 0 and at NaN", () => {
    expect(at(log_x4, 1)).toBe(0);
    expect(at(log_x4, 0)).toBe(-Infinity);
    expect(at(log_x4, -0.0)).toBe(-Infinity);
    expect(at(log_x4, Infinity)).toBe(Infinity);
    expect(at(log_x4, -1)).toBeNaN();
    expect(at(log_x4, -Infinity)).toBeNaN();
    expect(at(log_x4, NaN)).toBeNaN();
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(log_x4)).toBe(true);
  });
});

describe("softplus_log_x4", () => {
  it("has an error of at most 4 ulp from 0 up", () => {
    expect(sweep_softplus_log(0, 0x7f7fffff, STRIDE)).toBeLessThanOrEqual(4);
    expect(sweep_softplus_log(bits(0.25), bits(3), 7)).toBeLessThanOrEqual(4);
    expect(made_denormals()).toBe(0);
  });
  it("is 0 at both zeros, Infinity at Infinity, NaN below 0 and at NaN", () => {
    expect(at(softplus_log_x4, 0)).toBe(0);
    expect(at(softplus_log_x4, -0.0)).toBe(0);
    expect(at(softplus_log_x4, Infinity)).toBe(Infinity);
    expect(at(softplus_log_x4, -1e-30)).toBeNaN();
    expect(at(softplus_log_x4, -1)).toBeNaN();
    expect(at(softplus_log_x4, -Infinity)).toBeNaN();
    expect(at(softplus_log_x4, NaN)).toBeNaN();
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(softplus_log_x4)).toBe(true);
  });
});

describe("tanh_x4", () => {
  it("has an error of at most 4 ulp everywhere, and none below 0.0001", () => {
    expect(sweep_tanh(0, END, STRIDE)).toBeLessThanOrEqual(4);
    expect(sweep_tanh(bits(0.0625), bits(9.1), 61)).toBeLessThanOrEqual(4);
    expect(sweep_tanh(0, bits(0.0001), 101)).toBeLessThanOrEqual(0.5);
  });
  it("is 0 at 0, ±1 at infinities and from 9.02 on, NaN at NaN, and never beyond ±1", () => {
    expect(at(tanh_x4, 0)).toBe(0);
    expect(at(tanh_x4, Infinity)).toBe(1);
    expect(at(tanh_x4, -Infinity)).toBe(-1);
    expect(at(tanh_x4, 9.02)).toBe(1);
    expect(at(tanh_x4, -9.02)).toBe(-1);
    expect(at(tanh_x4, NaN)).toBeNaN();
    for (let x = bits(7); x < bits(9.1); x += 3) {
      if (at(tanh_x4, reinterpret<f32>(x)) > 1) throw new Error("beyond 1");
    }
  });
  it("makes a denormal of a denormal alone", () => {
    sweep_tanh(bits(1e-38), bits(1e-37), 7);
    expect(made_denormals()).toBe(0);
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(tanh_x4)).toBe(true);
  });
});

describe("neg_x4", () => {
  it("turns the sign, of zero, infinity and NaN too", () => {
    const x = neg_x4(f32x4(0, -1.5, Infinity, NaN));
    expect(reinterpret<u32>(f32x4.extract_lane(x, 0))).toBe(0x80000000);
    expect(f32x4.extract_lane(x, 1)).toBe(1.5);
    expect(f32x4.extract_lane(x, 2)).toBe(-Infinity);
    expect(f32x4.extract_lane(x, 3)).toBeNaN();
  });
  it("keeps its lanes apart", () => {
    expect(lanes_are_apart(neg_x4)).toBe(true);
  });
});
