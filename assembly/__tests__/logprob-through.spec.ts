import { logsumexp_f32, logsumexp_through_f32 } from "../logprob";
import { logits_grad_f32 } from "../logprob-grad";
import { logits_grad_through_f32 } from "../logprob-through";
import { transform_f32, transform_grad_f32 } from "../transform";
import { floats, get, guards_hold, random, same, set } from "./support/buffers";
import { check_edges, edges } from "./support/edges";

const INNER: f32 = 0.0625;
const OUTER: f32 = 10;
const NONE: usize = -1;

function logits(n: usize): usize {
  const x = floats(n);
  for (let i: usize = 0; i < n; i++) set(x, i, <f32>(<i32>(random() >> 52) - 2048) / 16);
  return x;
}

function fresh(): usize {
  const state = floats(10);
  memory.fill(state, 0, 40);
  store<f64>(state, -Infinity);
  return state;
}

function check_grad(n: usize): void {
  const x = logits(n);
  const z = floats(n);
  const out = floats(n);
  const label = n >> 1;
  const g: f64 = -0.75;
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += NativeMath.exp(OUTER * NativeMath.tanh(<f64>get(x, i) * INNER) - OUTER);
  transform_f32(x, z, n, INNER, OUTER);
  logits_grad_through_f32(z, out, n, label, g, OUTER, sum, INNER, OUTER);
  let worst: f64 = 0;
  for (let i: usize = 0; i < n; i++) {
    const t = NativeMath.tanh(<f64>get(x, i) * INNER);
    const p = NativeMath.exp(OUTER * t - OUTER) / sum;
    const want = INNER * OUTER * (1 - t * t) * g * ((i == label ? 1 : 0) - p);
    worst = max(worst, abs(<f64>get(out, i) - want));
  }
  expect(worst).toBeLessThanOrEqual(2e-6 * <f64>INNER * OUTER);
  expect(guards_hold(out, n) && guards_hold(z, n)).toBe(true);
  logits_grad_through_f32(z, z, n, label, g, OUTER, sum, INNER, OUTER);
  let misses = 0;
  for (let i: usize = 0; i < n; i++) if (!same(get(z, i), get(out, i))) misses++;
  expect(misses).toBe(0);
}

describe("logits_grad_through_f32, error ≤ 2e-6 of the greatest slope, in place too", () => {
  beforeAll(() => {
    check_edges(check_grad);
  });
  edges();

  it("holds over several blocks", () => {
    check_grad(32768);
    check_grad(40011);
  });

  it("is 0 where the cap is reached, whatever rounds there", () => {
    for (let cap: f32 = 0.7; cap < 120; cap += 0.7) {
      const z = floats(16);
      for (let i: usize = 0; i < 16; i++) set(z, i, i & 1 ? cap : i & 2 ? -cap : 0);
      logits_grad_through_f32(z, z, 16, 1, 0.5, cap, 20, 0.5, cap);
      for (let i: usize = 0; i < 16; i++) if (i & 3) expect(get(z, i)).toBe(0);
    }
  });

  it("is that of a scale, of no gradient, and in two passes of what float32 does not hold", () => {
    const n: usize = 21;
    for (let kind = 0; kind < 4; kind++) {
      const x = logits(n);
      const z = floats(n);
      const out = floats(n);
      const want = floats(n);
      const outer: f32 = kind == 0 ? 0 : OUTER;
      const g: f64 = kind == 1 ? 0 : kind == 2 ? Infinity : kind == 3 ? 1e38 : 0.5;
      transform_f32(x, z, n, 0.25, outer);
      logits_grad_f32(z, want, n, 3, g, 64, 30);
      if (g != 0) transform_grad_f32(z, want, n, 0.25, outer);
      logits_grad_through_f32(z, out, n, 3, g, 64, 30, 0.25, outer);
      logits_grad_through_f32(z, z, n, 3, g, 64, 30, 0.25, outer);
      let misses = 0;
      for (let i: usize = 0; i < n; i++) {
        // A scale that goes into g makes an exact 0 of what would be near the denormals.
        if (!same(get(out, i), get(want, i)) && !(abs(get(out, i) - get(want, i)) < 1e-37)) misses++;
        if (!same(get(z, i), get(out, i))) misses++;
      }
      expect(misses).toBe(0);
    }
  });

  it("is NaN where a logit is, and everywhere without a sum", () => {
    const z = floats(20);
    set(z, 7, NaN);
    logits_grad_through_f32(z, z, 20, NONE, 1, 1, 12, INNER, OUTER);
    for (let i: usize = 0; i < 20; i++) expect(isNaN(get(z, i))).toBe(i == 7);
    const all = floats(20);
    logits_grad_through_f32(all, all, 20, 2, 1, 1, NaN, INNER, OUTER);
    for (let i: usize = 0; i < 20; i++) expect(get(all, i)).toBeNaN();
  });
});

function check_sums(n: usize): void {
  const x = logits(n);
  for (let scaled = 0; scaled < 2; scaled++) {
    const outer: f32 = scaled ? 0 : OUTER;
    const z = floats(n);
    const want = floats(n);
    const state = fresh();
    logsumexp_through_f32(x, z, n, state, INNER, outer);
    transform_f32(x, want, n, INNER, outer);
    let misses = 0;
    for (let i: usize = 0; i < n; i++) if (!same(get(z, i), get(want, i))) misses++;
    expect(misses).toBe(0);
    const known = fresh();
    logsumexp_f32(want, n, known);
    expect(load<f64>(state)).toBe(load<f64>(known));
    expect(abs(load<f64>(state, 8) - load<f64>(known, 8))).toBeLessThanOrEqual(2e-7 * load<f64>(known, 8));
    expect(guards_hold(x, n) && guards_hold(z, n)).toBe(true);
  }
}

describe("logsumexp_through_f32 is transform_f32 and logsumexp_f32, sums within 2e-7", () => {
  beforeAll(() => {
    check_edges(check_sums);
  });
  edges();

  it("holds over several blocks", () => {
    check_sums(32768);
    check_sums(40007);
  });
});
