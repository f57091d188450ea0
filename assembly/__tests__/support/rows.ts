// Rows of logits of the three types, and what the row kernels must find in them, in float64.

import { floats, get, random, set } from "./buffers";

export const F32: i32 = 0;
export const F16: i32 = 1;
export const BF16: i32 = 2;

/** Around the edges of vectors, of the sums' chunks and of blocks. */
export const SIZES: StaticArray<usize> = [
  1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 511, 513, 4095, 4096, 4097, 8191, 8192, 8193, 32768, 32785,
];

/** n elements of a type; float16 and bfloat16 lie at an odd multiple of 2 bytes. */
export class Row {
  x: usize;

  constructor(
    public type: i32,
    public n: usize,
  ) {
    this.x = type == F32 ? floats(n) : floats((n >> 1) + 2) + 2;
  }

  get(i: usize): f64 {
    if (this.type == F32) return get(this.x, i);
    return value_of(this.type, load<u16>(this.x + (i << 1)));
  }

  /** The number of the type next to `value`, towards 0. */
  put(i: usize, value: f64): void {
    if (this.type == F32) set(this.x, i, <f32>value);
    else store<u16>(this.x + (i << 1), bits_towards_0(this.type, value));
  }

  at(i: usize): usize {
    return this.x + (i << (this.type == F32 ? 2 : 1));
  }
}

/** n logits around `centre`, about ±8. */
export function random_row(type: i32, n: usize, centre: f64): Row {
  const row = new Row(type, n);
  for (let i: usize = 0; i < n; i++) row.put(i, centre + <f64>(<i32>(random() >> 40) - 8388608) / 1048576);
  return row;
}

/** The value of a float16 or bfloat16. */
export function value_of(type: i32, bits: u16): f64 {
  if (type == BF16) return <f64>reinterpret<f32>((<u32>bits) << 16);
  const digits = <f64>(bits & 0x3ff);
  const exponent = (bits >> 10) & 31;
  if (exponent == 31) return digits ? NaN : bits >> 15 ? -Infinity : Infinity;
  const magnitude = exponent ? (1024 + digits) * power(<i32>exponent - 25) : digits * power(-24);
  return bits >> 15 ? -magnitude : magnitude;
}

/** What is denormal in float16 becomes 0. */
export function bits_towards_0(type: i32, value: f64): u16 {
  const word = reinterpret<u32>(<f32>value);
  if (type == BF16) return <u16>(word >> 16) | (value != value ? 1 : 0);
  const sign = <u16>(word >> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (value != value ? 0x7e00 : 0x7c00);
  return sign | (magnitude < 113 << 23 ? 0 : <u16>((magnitude >> 13) - (112 << 10)));
}

function power(e: i32): f64 {
  return reinterpret<f64>((<u64>(e + 1023)) << 52);
}

export function max_of(row: Row): f64 {
  let most = -Infinity;
  for (let i: usize = 0; i < row.n; i++) most = row.get(i) > most ? row.get(i) : most;
  return most;
}

/** Σ e^(factor·d), d = x - max. */
export function sum_exp(row: Row, max: f64, factor: f64): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < row.n; i++) sum += Math.exp(factor * (row.get(i) - max));
  return sum;
}

/** Whether each of n float32 from `x` on is this number, NaN too. */
export function all_are(x: usize, n: usize, value: f32): bool {
  for (let i: usize = 0; i < n; i++) if (get(x, i) != value && (value == value || get(x, i) == get(x, i))) return false;
  return true;
}

/** Σ e^d·d */
export function sum_exp_d(row: Row, max: f64): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < row.n; i++) {
    const d = row.get(i) - max;
    if (d > -Infinity) sum += Math.exp(d) * d;
  }
  return sum;
}
