import { odds_sum_f32 } from "../odds";
import { floats, set } from "./support/buffers";

const BETA = 0.3;

// Losses of odds from e^-r to e^r, and the sum of their logarithms.
function losses(n: usize, r: f64): usize {
  const loss = floats(n);
  for (let i: usize = 0; i < n; i++) {
    const o = r * (2 * <f64>((i * 37) % 101) / 100 - 1);
    set(loss, i, <f32>(BETA * (NativeMath.max(-o, 0) + NativeMath.log1p(NativeMath.exp(-abs(o))))));
  }
  return loss;
}

function exact(loss: usize, n: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) {
    const x = <f64>load<f32>(loss + 4 * i) / BETA;
    sum -= x + NativeMath.log(-NativeMath.expm1(-x));
  }
  return sum;
}

describe("odds_sum_f32", () => {
  it("is the sum of −log(e^x − 1), to 1e-6 of a pair's own", () => {
    for (let n: usize = 4; n <= 4096; n += n < 300 ? 4 : 948) {
      for (let r: f64 = 0.01; r < 85; r *= 5) {
        const loss = losses(n, r);
        const error = abs(odds_sum_f32(loss, n, <f32>(1 / BETA)) - exact(loss, n));
        expect(error / <f64>n).toBeLessThanOrEqual(1e-6 * NativeMath.max(1, r));
      }
    }
  });
  it("is NaN where a loss is 0, denormal, infinite or NaN", () => {
    const wrong: f32[] = [0, 1e-40, Infinity, NaN];
    for (let k = 0; k < 4; k++) {
      for (let i: usize = 0; i < 8; i++) {
        const loss = losses(8, 3);
        set(loss, i, wrong[k]);
        expect(odds_sum_f32(loss, 8, 1)).toBeNaN();
      }
    }
  });
});
