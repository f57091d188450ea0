/**
 * |got - exact| in units in the last place: of the spacing of float32 numbers at `exact`. Beyond the largest float32
 * there is 2^128, which infinity stands for. Infinity if one of them is NaN and the other is not.
 */
export function ulps(got: f32, exact: f64): f64 {
  if (got == exact) return 0;
  if (got != got || exact != exact) return got != got && exact != exact ? 0 : Infinity;
  const y = held(exact);
  return abs(held(got) - y) / spacing(y);
}

function held(x: f64): f64 {
  const beyond: f64 = 340282366920938463463374607431768211456.0; // 2^128
  return abs(x) > beyond ? copysign(beyond, x) : x;
}

// 2^(e - 23) for 2^e ≤ |y| < 2^(e + 1), and 2^-149 where float32 is denormal.
function spacing(y: f64): f64 {
  const exponent = max<u64>((reinterpret<u64>(y) >> 52) & 0x7ff, 1023 - 126);
  return reinterpret<f64>((exponent - 23) << 52);
}

export function is_denormal(x: f32): bool {
  return x != 0 && abs(x) < 1.17549435e-38;
}
