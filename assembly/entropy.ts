// The way back from a row's entropy H = -Σ p·log p: dH/dx = -p·(log p + H), beside that of the log-probability of its label.

import { load_part, store_part } from "./inline/part";
import { logits_grad_f32 } from "./logprob-grad";

/**
 * out = g·(1[v = label] - p) - h·p·(log p + H) of a row in any pieces, p = e^(x - max)/sum: the gradient of g·log p(label) + h·H.
 * `label` is an index into the piece, or -1; `mean` is Σ p·(x - max), so that log p + H = x - max - mean. `out` is not `x`.
 *
 * A logit without probability gives 0, one of -Infinity too; NaN gives NaN; a sum of 0 or NaN makes all NaN.
 */
export function entropy_grad_f32(
  x: usize,
  out: usize,
  n: usize,
  label: usize,
  g: f64,
  h: f64,
  max: f64,
  sum: f64,
  mean: f64,
): void {
  // -p
  logits_grad_f32(x, out, n, -1, 1, max, sum);
  weigh(x, out, n, f32x4.splat(<f32>max), f32x4.splat(<f32>h), f32x4.splat(<f32>(g - h * mean)));
  if (label < n) {
    const at = out + (label << 2);
    store<f32>(at, <f32>(g + <f64>load<f32>(at)));
  }
}

// p·(h·(x - max) + rest)
function weigh(x: usize, p: usize, n: usize, max: v128, h: v128, rest: v128): void {
  const zero = f32x4.splat(0);
  const whole = x + ((n & ~3) << 2);
  for (const end = x + (n << 2); x < end; ) {
    const one = x >= whole;
    const own = load_part(p, one);
    const factor = f32x4.add(f32x4.mul(f32x4.sub(load_part(x, one), max), h), rest);
    // 0·∞ counts as 0.
    store_part(p, v128.andnot(f32x4.mul(own, factor), f32x4.eq(own, zero)), one);
    x += one ? 4 : 16;
    p += one ? 4 : 16;
  }
}
