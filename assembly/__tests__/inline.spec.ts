import { hsum_f64 } from "../inline/hsum";
import { madd_x4 } from "../inline/madd";
import { tail_close, tail_open, tail_slot } from "../inline/tail";
import { exact_floats, floats, get, guards_hold, set } from "./support/buffers";

describe("madd_x4", () => {
  it("is a·b + c in each lane", () => {
    const y = madd_x4(f32x4(1, 2, -3, 0.5), f32x4(10, 20, 30, 40), f32x4(1, 2, 3, -20));
    expect(f32x4.extract_lane(y, 0)).toBe(11);
    expect(f32x4.extract_lane(y, 1)).toBe(42);
    expect(f32x4.extract_lane(y, 2)).toBe(-87);
    expect(f32x4.extract_lane(y, 3)).toBe(0);
  });
  it("rounds the product in the plain build, and may keep it in the relaxed one", () => {
    const a: f32 = 1.000244140625; // 1 + 2^-12; its square is 1 + 2^-11 + 2^-24
    const y = f32x4.extract_lane(madd_x4(f32x4.splat(a), f32x4.splat(a), f32x4.splat(-1.00048828125)), 0);
    expect(y == 0 || (ASC_FEATURE_RELAXED_SIMD && y == 5.9604644775390625e-8)).toBe(true);
  });
});

describe("hsum_f64", () => {
  it("adds the four lanes", () => {
    expect(hsum_f64(f32x4(1, 20, 300, 4000))).toBe(4321);
  });
  it("adds them in float64", () => {
    expect(hsum_f64(f32x4(16777216, 1, -16777216, 0.5))).toBe(1.5);
  });
  it("passes NaN and infinity on", () => {
    expect(hsum_f64(f32x4(1, NaN, 2, 3))).toBeNaN();
    expect(hsum_f64(f32x4(1, 2, 3, -Infinity))).toBe(-Infinity);
    expect(hsum_f64(f32x4(Infinity, 2, 3, -Infinity))).toBeNaN();
  });
});

describe("tail_slot", () => {
  it("gives ten slots of two vectors, aligned", () => {
    for (let slot = 0; slot < 10; slot++) {
      expect(tail_slot(slot) & 15).toBe(0);
      expect(tail_slot(slot) - tail_slot(0)).toBe(32 * slot);
    }
  });
});

describe("tail_open", () => {
  it("copies one to seven elements and pads them with zeros", () => {
    const x = exact_floats(8);
    for (let rest = 1; rest < 8; rest++) {
      v128.store(tail_slot(2), f32x4.splat(NaN));
      v128.store(tail_slot(2), f32x4.splat(NaN), 16);
      tail_open(2, x, rest);
      for (let i = 0; i < 8; i++) expect(get(tail_slot(2), i)).toBe(i < rest ? get(x, i) : 0);
    }
  });
  it("leaves the slots beside it alone", () => {
    for (let i = 0; i < 20; i++) v128.store(tail_slot(0) + (i << 4), f32x4.splat(<f32>(i >> 1)));
    tail_open(4, exact_floats(7), 7);
    expect(get(tail_slot(3), 7)).toBe(3);
    expect(get(tail_slot(5), 0)).toBe(5);
  });
});

describe("tail_close", () => {
  it("copies the first elements back and nothing more", () => {
    for (let i = 0; i < 8; i++) set(tail_slot(8), i, <f32>i + 1);
    for (let rest = 1; rest < 8; rest++) {
      const x = floats(rest);
      tail_close(8, x, rest);
      for (let i = 0; i < rest; i++) expect(get(x, i)).toBe(<f32>i + 1);
      expect(guards_hold(x, rest)).toBe(true);
    }
  });
});
