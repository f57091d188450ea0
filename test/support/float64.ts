// Neighbours among float64 numbers.

const floats = new Float64Array(1);
const bits = new BigInt64Array(floats.buffer);

/** The least number above x. */
export function nextUp(x: number): number {
  if (x === 0) return Number.MIN_VALUE;
  if (x === Infinity) return x;
  floats[0] = x;
  bits[0] = (bits[0] as bigint) + (x > 0 ? 1n : -1n);
  return floats[0] as number;
}

/** The greatest number below x. */
export const nextDown = (x: number): number => -nextUp(-x);
