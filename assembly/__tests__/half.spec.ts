import { narrow_bf16, narrow_f16 } from "../narrow";
import { widen_bf16, widen_f16, widen_scaled_f16 } from "../widen";
import { floats, get, guards_hold, same, set } from "./support/buffers";
import { BF16, F16, value_of } from "./support/rows";

const ALL: usize = 65536;

// Every number of a type, `step` apart, so that zeros and denormals lie among normal numbers or not.
function every(step: usize): usize {
  const x = floats(ALL >> 1);
  for (let i: usize = 0; i < ALL; i++) store<u16>(x + (i << 1), <u16>(i * step));
  return x;
}

// Three numbers near each that lies between two neighbours of a type: they go to the lower, the even and the upper one.
function check_rounding(type: i32, infinity: i32): void {
  const x = floats(16);
  const out = floats(8);
  for (let lower = 0; lower < infinity; lower++) {
    // Above the largest, the next number would be 2^16 or 2^128.
    const value = value_of(type, <u16>lower);
    const step = lower + 1 < infinity ? value_of(type, <u16>(lower + 1)) - value : value - value_of(type, <u16>(lower - 1));
    const between = <f32>(value + step / 2);
    if (between < 1.17549435e-38) continue; // no denormals come in
    const bits = reinterpret<u32>(between);
    for (let i: usize = 0; i < 16; i++) set(x, i, reinterpret<f32>(bits - 1 + <u32>(i % 3)));
    for (let i: usize = 3; i < 16; i += 4) set(x, i, -get(x, i));
    if (type == F16) narrow_f16(x, out, 16);
    else narrow_bf16(x, out, 16);
    for (let i: usize = 0; i < 16; i++) {
      const want = i % 3 == 0 ? lower : i % 3 == 2 ? lower + 1 : lower + (lower & 1);
      const got = <i32>load<u16>(out + (i << 1));
      if (got != (want | (i % 4 == 3 ? 0x8000 : 0))) expect(got).toBe(want);
    }
  }
  expect(guards_hold(out, 8)).toBe(true);
}

describe("float16 and bfloat16", () => {
  it("every float16 widens exactly", () => {
    const out = floats(ALL);
    for (let step: usize = 1; step < 12; step += 2) {
      const x = every(step);
      expect(widen_f16(x, out, ALL)).toBe(Infinity);
      for (let i: usize = 0; i < ALL; i++) {
        if (!same(get(out, i), <f32>value_of(F16, <u16>(i * step)))) expect(get(out, i)).toBe(<f32>i);
      }
      widen_scaled_f16(x, out, ALL);
      for (let i: usize = 0; i < ALL; i++) {
        const value = <f32>(value_of(F16, <u16>(i * step)) * 5192296858534827628530496329220096.0);
        if (!same(get(out, i), value)) expect(get(out, i)).toBe(<f32>i);
      }
    }
    expect(guards_hold(out, ALL)).toBe(true);
  });
  it("every bfloat16 widens exactly", () => {
    const out = floats(ALL);
    expect(widen_bf16(every(1), out, ALL)).toBe(Infinity);
    for (let i: usize = 0; i < ALL; i++) {
      if (!same(get(out, i), <f32>value_of(BF16, <u16>i))) expect(get(out, i)).toBe(<f32>i);
    }
  });
  it("float16 rounds to nearest, ties to even, and overflows to infinity", () => {
    check_rounding(F16, 0x7c00);
  });
  it("bfloat16 rounds to nearest, ties to even, and overflows to infinity", () => {
    check_rounding(BF16, 0x7f80);
  });
  it("infinity and NaN stay", () => {
    const x = floats(16);
    const out = floats(8);
    for (let i: usize = 0; i < 16; i++) set(x, i, i & 1 ? NaN : -Infinity);
    narrow_f16(x, out, 16);
    for (let i: usize = 0; i < 16; i += 2) expect(load<u16>(out + (i << 1))).toBe(0xfc00);
    for (let i: usize = 1; i < 16; i += 2) expect(value_of(F16, load<u16>(out + (i << 1)))).toBeNaN();
    narrow_bf16(x, out, 16);
    for (let i: usize = 0; i < 16; i += 2) expect(load<u16>(out + (i << 1))).toBe(0xff80);
    for (let i: usize = 1; i < 16; i += 2) expect(value_of(BF16, load<u16>(out + (i << 1)))).toBeNaN();
  });
});
